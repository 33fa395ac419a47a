/**
 * @file A Chromium to look at pages with, for `npm run test:browser`: prints its path.
 *
 * Takes $CHROMIUM, or what is installed. Where there is none, and the system is Debian's and one may install, it installs the
 * packages `chromium` and `fonts-liberation`; elsewhere it prints nothing and says on stderr what to do.
 */
import { spawnSync } from 'node:child_process';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

function works(command) {
  return spawnSync(command, ['--version'], { encoding: 'utf8' }).status === 0;
}

function find() {
  const { CHROMIUM } = process.env;
  return (CHROMIUM === undefined ? names : [CHROMIUM]).find(works);
}

function install() {
  const apt = (...args) =>
    spawnSync('apt-get', ['-qq', ...args], {
      // Its own words go to stderr.
      stdio: ['ignore', 2, 2],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    }).status === 0;
  if (process.getuid?.() !== 0 || !apt('update')) return false;
  return apt('install', '-y', '--no-install-recommends', 'chromium', 'fonts-liberation');
}

let found = find();
if (found === undefined && process.env.CHROMIUM === undefined && install()) found = find();
if (found === undefined) {
  console.error('no Chromium: install the package chromium as root, or name one in CHROMIUM');
  process.exitCode = 1;
} else console.log(found);
