'use strict';

/**
 * Jest runs CommonJS; p-retry and what it imports are published as ES modules only.
 * Whatever plain JavaScript Jest is told to transform goes through here.
 */
const { transformSync } = require('esbuild');

module.exports = {
  process(source, filename) {
    const { code, map } = transformSync(source, {
      format: 'cjs',
      target: 'node20',
      sourcefile: filename,
      sourcemap: 'external',
    });
    return { code, map };
  },
};
