/** Those that the page treats in a way of their own, as the results name them. */

export const TASKSCOPE = 'taskscope';
export const FLOOR = 'native promises';
export const BARE_SCOPES = 'bare scopes';
