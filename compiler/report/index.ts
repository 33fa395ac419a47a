/** @file Reports: what a study has found, as a page. */
export { checkReport } from './output.ts';
export { reportHtml } from './page.ts';
