import 'reflect-metadata';
import { atomic, auditReleases, releaseConnection } from '../../src/index';

/** As frameworks do: keeps something on the method's function. */
function route(path: string): MethodDecorator {
  return (_target, _key, descriptor) => {
    Reflect.defineMetadata('route', path, descriptor.value as object);
  };
}

class Controller {
  @releaseConnection
  @route('/below')
  async below(_id: number): Promise<void> {}

  @route('/above')
  @releaseConnection
  async above(): Promise<void> {}

  @releaseConnection
  @atomic({ retries: 1 })
  @route('/transaction')
  async transaction(_id: number): Promise<string> {
    return '';
  }
}

describe('with experimentalDecorators and emitDecoratorMetadata', () => {
  it.each([
    ['below', '/below'],
    ['above', '/above'],
    ['transaction', '/transaction'],
  ] as const)('metadata of a decorator %s it is kept', (name, path) => {
    expect(Reflect.getMetadata('route', Controller.prototype[name])).toBe(path);
  });

  it('what the compiler emits stays: parameter and return types', () => {
    expect(Reflect.getMetadata('design:paramtypes', Controller.prototype, 'below')).toEqual([
      Number,
    ]);
    const types = (kind: string): unknown =>
      Reflect.getMetadata(`design:${kind}`, Controller.prototype, 'transaction');
    expect([types('paramtypes'), types('returntype')]).toEqual([[Number], Promise]);
    expect(Controller.prototype.transaction).toHaveLength(1);
  });

  it('the audit sees through other decorators', () => {
    expect(auditReleases(Controller)).toEqual([]);
  });
});
