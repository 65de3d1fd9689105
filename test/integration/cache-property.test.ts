import fc from 'fast-check';
import { Cache, type RetryingPooledDatabase } from '../../src/index';
import { CacheBench } from '../support/cache-bench';
import { CLIENTS, CacheModel, KEYS, cacheHistory, type CacheStep } from '../support/cache-model';
import { longForm } from '../support/long-form';
import { onEachServer } from '../support/servers';

const PROPERTY = longForm<{ numRuns: number; seed?: number }>('BOOMERANG_CACHE_MODEL', {
  numRuns: 60,
});

interface Client {
  readonly db: RetryingPooledDatabase;
  readonly cache: Cache;
}

const undone = new Error('rolled back');

async function done({ cache }: Client, step: CacheStep, next: number): Promise<unknown> {
  switch (step.do) {
    case 'get':
    case 'has':
    case 'delete':
      return cache[step.do](step.key);
    case 'getMany':
      return cache.getMany([...KEYS]);
    case 'getOrSet': {
      const { ttl, grace, tags } = step;
      return cache.getOrSet(step.key, () => next, { ttl, grace, tags });
    }
    case 'set':
    case 'setMany': {
      const { key, ttl, grace, tags } = step;
      return step.do === 'set'
        ? cache.set(key, next, { ttl, grace, tags })
        : cache.setMany([{ key, value: next }], { ttl, grace, tags });
    }
    case 'touch':
      return cache.touch(step.key, { ttl: step.ttl, grace: step.grace });
    case 'invalidateTag':
      return cache.invalidateTag(step.tag);
    case 'clear':
      return cache.clear();
    default:
      return undefined;
  }
}

function told(step: CacheStep, expected: unknown, next: number): 'hit' | 'miss' | 'change' {
  if (step.do === 'get') return expected === undefined ? 'miss' : 'hit';
  if (step.do === 'has') return expected === true ? 'hit' : 'miss';
  if (step.do === 'getOrSet') return expected === next ? 'miss' : 'hit';
  return 'change';
}

onEachServer((bench) => {
  const caches = new CacheBench(bench);

  it('whatever three processes do in whatever order, in transactions that stay or are undone: a map with a clock', async () => {
    const clients = Array.from({ length: CLIENTS }, (_, at): Client => {
      const db = bench.open({ connectionLimit: 2 });
      // One of them with memory: it is not to be told from the others by its own changes.
      return { db, cache: caches.keep(new Cache(db, at === 0 ? { l1: { ttl: 0.001 } } : {})) };
    });
    const outcomes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(cacheHistory, async (steps) => {
        await caches.empty();
        for (const { cache } of clients) await cache.clear();
        const model = new CacheModel();
        for (const [next, step] of steps.entries()) {
          const expected = model.run(step, next);
          outcomes.add(`${step.frame} ${told(step, expected, next)}`);
          const client = clients[step.client]!;
          let outcome: unknown;
          if (step.do === 'pass') await caches.pass(step.ms);
          else if (step.do === 'sweep') await client.cache.sweep();
          else if (step.frame === 'none') outcome = await done(client, step, next);
          else {
            await client.db
              .atomic(async () => {
                outcome = await done(client, step, next);
                if (step.frame === 'rollback') throw undone;
              })
              .catch((error: unknown) => {
                if (error !== undone) throw error;
              });
          }
          expect([step, outcome]).toEqual([step, expected]);
        }
      }),
      PROPERTY,
    );
    // The histories came to where it matters.
    for (const found of ['hit', 'miss']) {
      expect(outcomes).toContain(`none ${found}`);
      expect([...outcomes].join()).toMatch(new RegExp(`(commit|rollback) ${found}`));
    }
  }, 3_600_000);
});
