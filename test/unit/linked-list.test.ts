import fc from 'fast-check';
import { LinkedList, Node } from '../../src/pool/linked-list';

function take(list: LinkedList<number>, from: 'first' | 'last'): number | undefined {
  if (from === 'last') return list.takeLast();
  const { firstNode } = list;
  if (firstNode !== undefined) list.remove(firstNode);
  return firstNode?.value;
}

it('a linked list is what an array is, whatever is done to it', () => {
  const steps = fc.array(
    fc.oneof(
      fc.constant({ kind: 'append' as const }),
      fc.record({ kind: fc.constant('remove' as const), at: fc.nat() }),
      fc.record({ kind: fc.constant('take' as const), from: fc.constantFrom('first', 'last') }),
    ),
    { maxLength: 50 },
  );
  fc.assert(
    fc.property(steps, (sequence) => {
      const list = new LinkedList<number>();
      const nodes: Node<number>[] = [];
      let model: number[] = [];
      for (const step of sequence) {
        if (step.kind === 'append') {
          const node = new Node(nodes.length);
          nodes.push(node);
          list.append(node);
          model.push(node.value);
        } else if (step.kind === 'remove' && nodes.length > 0) {
          const { value } = nodes[step.at % nodes.length]!;
          expect(list.remove(nodes[value]!)).toBe(model.includes(value));
          model = model.filter((one) => one !== value);
        } else if (step.kind === 'take') {
          expect(take(list, step.from as 'first')).toBe(
            step.from === 'first' ? model.shift() : model.pop(),
          );
        }
        expect([list.size, list.first]).toEqual([model.length, model[0]]);
      }
    }),
  );
});

it('a node is removed only from the list it is in, and may join another then', () => {
  const [one, two] = [new LinkedList<string>(), new LinkedList<string>()];
  const node = new Node('a');
  one.append(node);
  expect(two.remove(node)).toBe(false);
  expect(one.remove(node)).toBe(true);
  two.append(node);
  expect([one.size, two.size, two.first]).toEqual([0, 1, 'a']);
});
