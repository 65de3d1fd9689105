// A user's test, run by a Jest without any transformation: nothing in the package may be an ES module.
const { RetryingPooledDatabase, connectionScope } = require('mysql-boomerang');

test('the package loads and works in a CommonJS Jest', async () => {
  expect(typeof RetryingPooledDatabase).toBe('function');
  await expect(connectionScope(async () => 42)).resolves.toBe(42);
});
