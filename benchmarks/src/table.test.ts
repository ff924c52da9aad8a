import { expect, test } from 'vitest';

import type { Row } from './measure.js';
import { formatNumber, formatRatio, renderEnvironment, renderGroup } from './table.js';

const row = (peer: string, median: number): Row => ({
  peer,
  median,
  p25: median * 0.9,
  p75: median * 1.1,
  min: median,
  samples: 3,
  rounds: [median],
  toTaskscope: median / 200,
  toFloor: median / 100,
});

test('a group is a table with a part for each workload', () => {
  const rows = [row('taskscope', 200), row('native promises', 100), row('other', 123_456)];
  const finding = { workload: 'many of them', operation: 'item', unit: 'ns', operations: 10, rows } as const;
  expect(renderGroup({ title: 'Things', notes: ['A note.'] }, [finding])).toBe(
    [
      '== Things ==',
      'A note.',
      '',
      '                    median          p25 – p75  × taskscope  × floor',
      '',
      'many of them, ns per item',
      '  taskscope            200          180 – 220         1.00     2.00',
      '  native promises      100         90.0 – 110         0.50     1.00',
      '  other            123,456  111,110 – 135,802          617    1,235',
      '',
    ].join('\n'),
  );
});

test('numbers have the digits that count', () => {
  expect([0, 1.234, 12.34, 123.4, 12_345].map(formatNumber)).toEqual([
    '0.00',
    '1.23',
    '12.3',
    '123',
    '12,345',
  ]);
  expect([0.5, 12.34, 1234.5].map(formatRatio)).toEqual(['0.50', '12.3', '1,235']);
});

test('the environment names machine and versions', () => {
  const environment = {
    runtime: 'Node.js 24.0.0',
    engine: 'V8 13',
    platform: 'linux x64',
    cpu: 'A CPU',
    cores: 2,
    versions: { effect: '4.1.0', rxjs: '7.8.2' },
  };
  expect(renderEnvironment(environment)).toBe(
    'Node.js 24.0.0 (V8 13), linux x64, A CPU, 2 cores\neffect 4.1.0, rxjs 7.8.2\n',
  );
});
