import type { Airlock } from './index.js';

/** A plugin for Uppy that uploads to Airlock. See uppy.js. */
export function uppyPluginFor<T extends new (...args: any[]) => object>(
  BasePlugin: T,
  airlock: Airlock,
  options?: { until?: 'verdict' | 'stored'; scanning?: string },
): T;
