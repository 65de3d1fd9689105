import 'reflect-metadata';

/** A method of a kind that a scope can last for. `never[]` accepts any parameters. */
export type AsyncMethod = (...args: never[]) => PromiseLike<unknown> | AsyncIterable<unknown>;

/** Wraps a method. `name` is what errors and logs call it. */
export type MethodWrapper = (method: AnyMethod, name: string) => AnyMethod;

export type AnyMethod = (this: unknown, ...args: unknown[]) => unknown;

/** A method with one end: no generator. */
export type PromiseMethod = (...args: never[]) => PromiseLike<unknown>;

/**
 * A method decorator for both dialects: TC39 standard decorators, and TypeScript's
 * `experimentalDecorators`. Anything but a method of this kind is a type error.
 */
interface DialectDecorator<M extends AsyncMethod> {
  <F extends M>(method: F, context: ClassMethodDecoratorContext): F;
  <F extends M>(
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<F>,
  ): TypedPropertyDescriptor<F>;
}

/** For async methods and async generators, in both dialects. */
export type AsyncMethodDecorator = DialectDecorator<AsyncMethod>;

/** For async methods, in both dialects. */
export type PromiseMethodDecorator = DialectDecorator<PromiseMethod>;

function refuse(decorator: string, what: string): never {
  throw new TypeError(
    `@${decorator} goes on async methods and async generator methods, not on ${what}`,
  );
}

function checkMethod(
  decorator: string,
  method: unknown,
  kind: string,
): asserts method is AnyMethod {
  if (typeof method !== 'function') refuse(decorator, kind);
  // A native generator function says so; what a compiler made of one is found out at the call.
  const prototype: unknown = Object.getPrototypeOf(method);
  if (prototype === Object.getPrototypeOf(function* () {})) refuse(decorator, 'sync generators');
}

/** Other decorators keep metadata on the function itself: the wrapper must bear it too. */
function keepMetadata(from: AnyMethod, to: AnyMethod): void {
  for (const key of Reflect.getOwnMetadataKeys(from) as unknown[]) {
    Reflect.defineMetadata(key, Reflect.getOwnMetadata(key, from), to);
  }
}

/** Dresses `wrapper` as `method`: name, length and Reflect metadata. */
function dress(wrapper: AnyMethod, method: AnyMethod): AnyMethod {
  Object.defineProperty(wrapper, 'name', { value: method.name, configurable: true });
  Object.defineProperty(wrapper, 'length', { value: method.length, configurable: true });
  keepMetadata(method, wrapper);
  return wrapper;
}

function classNameOf(target: unknown): string {
  const owner = typeof target === 'function' ? target : (target as object).constructor;
  return owner.name;
}

/**
 * Applies `wrap` to whatever a decorator was called with, in either dialect.
 *
 * @throws {TypeError} at decoration, for accessors, fields and native sync generators.
 */
export function applyDecorator(
  decorator: string,
  wrap: MethodWrapper,
  args: readonly unknown[],
): unknown {
  const [first, second, third] = args;
  if (isStandardContext(second)) {
    if (second.kind !== 'method') refuse(decorator, `a ${second.kind}`);
    checkMethod(decorator, first, second.kind);
    return dress(wrap(first, String(second.name)), first);
  }
  if (typeof third !== 'object' || third === null) refuse(decorator, 'a field');
  const descriptor = third as PropertyDescriptor;
  if (descriptor.get !== undefined || descriptor.set !== undefined)
    refuse(decorator, 'an accessor');
  const method: unknown = descriptor.value;
  checkMethod(decorator, method, 'a field');
  const name = `${classNameOf(first)}.${String(second)}`;
  return { ...descriptor, value: dress(wrap(method, name), method) };
}

interface StandardContext {
  readonly kind: string;
  readonly name: string | symbol;
}

function isStandardContext(value: unknown): value is StandardContext {
  return typeof value === 'object' && value !== null && 'kind' in value && 'name' in value;
}

/** True where a decorator stands without call brackets, or its factory's result is applied. */
export function isDecoration(args: readonly unknown[]): boolean {
  return args.length > 1;
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}
