export { collectMiheapMetrics, type MetricsOptions } from './prometheus.js';
