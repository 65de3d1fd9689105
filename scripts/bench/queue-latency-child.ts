import { loadLibrary } from './library';

/* The other process of the part `queue`: told to, it consumes, and says what has arrived. */

const [url = '', stream = ''] = process.argv.slice(2);

const { MessageQueue, RetryingPooledDatabase } = loadLibrary();
const queue = new MessageQueue(new RetryingPooledDatabase({ uri: url }));
process.on('message', () => {
  queue.worker(stream, 'g', ({ body }) => {
    if (body !== 'noise') process.send?.('arrived');
  });
});
process.once('disconnect', () => process.exit(0));
process.send?.('ready');
