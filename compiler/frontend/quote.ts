/** @file Names that come from files, made fit for a message. */

const MOST_CHARS = 100;
/** What `JSON.stringify` leaves as it is, but a terminal may obey: C1 controls and changes of writing direction. */
const UNPRINTABLE = /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

/** The name in double quotes, shortened in its middle, without characters that a terminal would act on. */
export function quote(name: string): string {
  const half = MOST_CHARS / 2;
  const short = name.length > MOST_CHARS ? `${name.slice(0, half)}…${name.slice(-half)}` : name;
  return JSON.stringify(short).replaceAll(
    UNPRINTABLE,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
