/** @file What the rules of edges ask of a network or of a program. */
import type { RoutedGraph } from '../routers.ts';
import type { Routing, SourceSpan, Task } from '../types.ts';

export interface Graph extends RoutedGraph {
  readonly task: Task;
  readonly routing: Routing;
  readonly hub?: unknown;
  readonly span?: SourceSpan;
}
