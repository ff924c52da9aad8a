/** The format of https://html.spec.whatwg.org/multipage/server-sent-events.html. */

/** JSON has no line breaks that are not escaped, so it fits on a line. */
export function formatEvent(name: string, data: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
