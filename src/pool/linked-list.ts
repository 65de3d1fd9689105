/** A place in a {@link LinkedList}. Belongs to at most one list at a time. */
export class Node<T> {
  previous: Node<T> | undefined;
  next: Node<T> | undefined;
  list: LinkedList<T> | undefined;
  constructor(readonly value: T) {}
}

/**
 * A doubly linked list whose items leave from anywhere in O(1): a waiter that gives up, an idle
 * connection that is lost.
 */
export class LinkedList<T> {
  #first: Node<T> | undefined;
  #last: Node<T> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get first(): T | undefined {
    return this.#first?.value;
  }

  get last(): T | undefined {
    return this.#last?.value;
  }

  get firstNode(): Node<T> | undefined {
    return this.#first;
  }

  append(node: Node<T>): void {
    node.list = this;
    node.previous = this.#last;
    node.next = undefined;
    if (this.#last === undefined) this.#first = node;
    else this.#last.next = node;
    this.#last = node;
    this.#size++;
  }

  /** False where the node is not in this list (any more). */
  remove(node: Node<T>): boolean {
    if (node.list !== this) return false;
    if (node.previous === undefined) this.#first = node.next;
    else node.previous.next = node.next;
    if (node.next === undefined) this.#last = node.previous;
    else node.next.previous = node.previous;
    node.previous = node.next = node.list = undefined;
    this.#size--;
    return true;
  }

  takeLast(): T | undefined {
    const node = this.#last;
    if (node !== undefined) this.remove(node);
    return node?.value;
  }
}
