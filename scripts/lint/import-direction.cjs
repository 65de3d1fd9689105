'use strict';

const path = require('node:path');
const table = require('./layers.cjs');

/** 'lock/lease.ts' and 'lock' → 'lock'; 'errors', 'errors.js' and 'errors.ts' → 'errors.ts'. */
function entryOf(relative, known) {
  const [first, ...rest] = relative.split('/');
  if (rest.length > 0 || known.has(first)) return first;
  return `${first.replace(/\.[jt]s$/, '')}.ts`;
}

/** Row number and peer rule of each entry. */
function indexOf(layers) {
  const rows = new Map();
  layers.forEach(({ entries, peers = false }, row) => {
    for (const entry of entries) rows.set(entry, { row, peers });
  });
  return rows;
}

/** Why `from` may not import `to` (both entries of the table), or undefined when it may. */
function objection(from, to, rows) {
  if (from === to) return undefined;
  const source = rows.get(from);
  const target = rows.get(to);
  if (source === undefined) return { messageId: 'unknown', data: { entry: from } };
  if (target === undefined) return { messageId: 'unknown', data: { entry: to } };
  if (source.row > target.row) return undefined;
  if (source.row < target.row) return { messageId: 'upwards', data: { from, to } };
  return source.peers ? undefined : { messageId: 'sibling', data: { from, to } };
}

/** 'node:async_hooks' and 'mysql2/promise' count as 'async_hooks' and 'mysql2'. */
function ownerOf(specifier, owners) {
  const name = specifier.replace(/^node:/, '');
  return owners.find(({ module }) => name === module || name.startsWith(`${module}/`));
}

/** @type {import('eslint').Rule.RuleModule} */
const importDirection = {
  meta: {
    type: 'problem',
    docs: { description: 'imports follow the table in scripts/lint/layers.cjs' },
    schema: [{ type: 'object' }],
    messages: {
      upwards: "'{{from}}' must not import from '{{to}}': imports only point to lower layers.",
      sibling: "'{{from}}' must not import from '{{to}}': siblings of one layer are strangers.",
      unknown: "'{{entry}}' has no row in scripts/lint/layers.cjs: give it one.",
      outside: "'{{specifier}}' lies outside of src/: the package would not contain it.",
      owned: "'{{module}}' may be imported only by {{where}}.",
    },
  },
  create(context) {
    const { layers, owners } = context.options[0] ?? table;
    const rows = indexOf(layers);
    const root = path.join(context.cwd, 'src');
    const toRelative = (file) => path.relative(root, file).split(path.sep).join('/');
    const file = toRelative(context.filename);
    if (file.startsWith('..')) return {};

    function judge(specifier) {
      if (!specifier.startsWith('.')) {
        const owned = ownerOf(specifier, owners);
        if (owned === undefined || owned.owner.test(file)) return undefined;
        return { messageId: 'owned', data: { module: owned.module, where: owned.where } };
      }
      const target = toRelative(path.resolve(path.dirname(context.filename), specifier));
      if (target.startsWith('..')) return { messageId: 'outside', data: { specifier } };
      // '.' or '..' that ends in src itself means its index
      const entry = entryOf(target === '' ? 'index' : target, rows);
      return objection(entryOf(file, rows), entry, rows);
    }

    /** Static, re-exported, dynamic and `import('x').T` imports, `require` included. */
    function check(node) {
      if (node?.type !== 'Literal' || typeof node.value !== 'string') return;
      const verdict = judge(node.value);
      if (verdict !== undefined) context.report({ node, ...verdict });
    }

    return {
      ImportDeclaration: ({ source }) => check(source),
      ExportNamedDeclaration: ({ source }) => check(source),
      ExportAllDeclaration: ({ source }) => check(source),
      ImportExpression: ({ source }) => check(source),
      TSImportType: (node) => check(node.source ?? node.argument?.literal),
      TSExternalModuleReference: ({ expression }) => check(expression),
      'CallExpression[callee.name="require"]': (node) => check(node.arguments[0]),
    };
  },
};

module.exports = { importDirection };
