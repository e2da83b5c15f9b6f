export { ALERTS } from "./contract.ts";
export { announce, fire } from "./fire.ts";
export { listAlerts, listDeliveries } from "./list.ts";
export { sendDue, sendOne } from "./deliver.ts";
export { forget } from "./retention.ts";
export { alertsOf } from "./rules.ts";
export { alertShape } from "./shape.ts";
export { doubtfulUsage, spendAnomalies } from "./sweep.ts";
export { type DeliveryRow, type WebhookRow, WebhookStore } from "./webhooks.ts";
