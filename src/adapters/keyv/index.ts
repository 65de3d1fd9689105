export { KeyvBoomerang, type KeyvBoomerangOptions } from './keyv-boomerang';
