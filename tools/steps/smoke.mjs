import { createApplication } from '../runtimes/application.mjs';
import { runOnServer } from '../runtimes/server.mjs';
import { asResult } from './result.mjs';

/** The short form of `pnpm test:runtimes`. */
export const smoke = {
  name: 'smoke',
  about: 'every export of the built packages, on this Node',
  needs: ['build'],
  run: async () => {
    const application = await createApplication();
    try {
      const run = (/** @type {import('../runtimes/application.mjs').Mode} */ mode) =>
        runOnServer([process.execPath], application, 'smoke', mode);
      return asResult([...(await run('ambient')), ...(await run('explicit'))]);
    } finally {
      application.close();
    }
  },
};
