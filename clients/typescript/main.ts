// A checkout that sells under Tandem: it quotes with a code, commits with retries, reads why it was refused, takes a line
// back, and follows events from a stored cursor. Every client in clients/ tells this story and prints the same lines.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";

import { BadRequest, ErrorInfo, RetryInfo } from "./generated/google/rpc/error_details.js";
import { Status } from "./generated/google/rpc/status.js";
import { ErrorReason } from "./generated/tandem/campaign/v1/error.js";
import { EventServiceClient, OrderCommitted, OrderLinesReturned } from "./generated/tandem/campaign/v1/event.js";
import { SubscribeRequest, type SubscribeResponse } from "./generated/tandem/campaign/v1/event.js";
import { CommitOrderRequest, OrderServiceClient, ReturnOrderLinesRequest } from "./generated/tandem/campaign/v1/order.js";
import type { CommitOrderResponse, ReturnOrderLinesResponse } from "./generated/tandem/campaign/v1/order.js";
import { PricingServiceClient, QuoteRequest, type QuoteResponse } from "./generated/tandem/campaign/v1/pricing.js";
import { CreateProductRequest, ProductServiceClient } from "./generated/tandem/campaign/v1/product.js";
import type { Event } from "./generated/tandem/common/v1/event.js";
import type { Money } from "./generated/tandem/common/v1/money.js";
import { CreateIncentiveRequest, IncentiveServiceClient } from "./generated/tandem/relationship/v1/incentive.js";
import { ImportVouchersRequest, type ImportVouchersResponse } from "./generated/tandem/relationship/v1/voucher.js";
import { VoucherServiceClient } from "./generated/tandem/relationship/v1/voucher_service.js";

const product = "products/client-mug";
const incentive = "incentives/client-ten-off";
const code = "CLIENT-TEN";
const campaign = address("TANDEM_CAMPAIGN", "http://127.0.0.1:7401");
const relationship = address("TANDEM_RELATIONSHIP", "http://127.0.0.1:7402");
const plain = credentials.createInsecure();
const tenant = new Metadata();
tenant.set("tandem-tenant", "clients");

const orders = new OrderServiceClient(campaign, plain);
const order = `typescript-${Date.now()}-${process.pid}`;

async function main() {
  await setUp();
  await sell();
  await takeBack();
  await follow();
}

function address(variable: string, otherwise: string): string {
  return (process.env[variable] ?? otherwise).replace("http://", "");
}

type Answered<A> = (error: ServiceError | null, answer: A) => void;
type Method<R, A> = (request: R, metadata: Metadata, options: { deadline: number }, answered: Answered<A>) => unknown;

/** Calls as the shop's tenant, and gives it ten seconds. */
function ask<R, A>(client: object, method: Method<R, A>, request: R): Promise<A> {
  return new Promise((resolve, reject) => {
    const answered: Answered<A> = (error, answer) => (error ? reject(error) : resolve(answer));
    method.call(client, request, tenant, { deadline: Date.now() + 10_000 }, answered);
  });
}

/** Makes what the story needs: a mug for 12.50 EUR, and a code for ten per cent off. What is there stays. */
async function setUp() {
  const price = { currencyCode: "EUR", units: 12n, nanos: 500_000_000 };
  const mug = CreateProductRequest.fromPartial({
    productId: product.replace("products/", ""),
    product: { displayName: "Mug", prices: [{ price }] },
  });
  const products = new ProductServiceClient(campaign, plain);
  await ask(products, products.createProduct, mug).catch(unlessThere);
  const tenOff = CreateIncentiveRequest.fromPartial({
    incentiveId: incentive.replace("incentives/", ""),
    incentive: { displayName: "Ten off", discount: { percent: { ratePpm: 100_000 } }, unlimitedUsesPerCode: true },
  });
  const incentives = new IncentiveServiceClient(relationship, plain);
  await ask(incentives, incentives.createIncentive, tenOff).catch(unlessThere);
  const imported = new VoucherServiceClient(relationship, plain).importVouchers(tenant);
  imported.end(ImportVouchersRequest.fromPartial({ vouchers: [{ code, incentive, unlimitedUses: true }] }));
  for await (const { failed, failures } of imported as AsyncIterable<ImportVouchersResponse>) {
    if (failed > 0n) throw new Error(`the code was not imported: ${failures[0]?.status?.message}`);
  }
  console.log(`set up: ${product}, ${incentive}, code ${code}`);
}

function unlessThere(error: ServiceError) {
  if (error.code !== status.ALREADY_EXISTS) throw error;
}

/** Quotes two mugs with the code and commits the order. A quote that cannot be made names every wrong field. */
async function sell() {
  tell(await failure(quote(0n, [])));

  const { totals, quoteToken } = await quote(2n, [code]);
  console.log(`quoted: 2 mugs, ${text(totals?.initialAmount)} less ${text(totals?.discountAmount)}`);
  const request = CommitOrderRequest.fromPartial({ orderId: order, quoteToken, requestId: `commit-${order}` });
  const commit = () => ask<CommitOrderRequest, CommitOrderResponse>(orders, orders.commitOrder, request);
  const committed = await retried(commit);
  console.log(`committed: ${text(committed.order?.total)}`);

  if (!isDeepStrictEqual(await commit(), committed)) throw new Error("the same request_id was answered otherwise");
  console.log("asked again: the same answer");
}

function quote(mugs: bigint, codes: string[]): Promise<QuoteResponse> {
  const pricing = new PricingServiceClient(campaign, plain);
  const lines = [{ id: "1", product, quantity: mugs }];
  return ask(pricing, pricing.quote, QuoteRequest.fromPartial({ basket: { currencyCode: "EUR", lines }, codes }));
}

/** Errors after which the same call is made again. Whether it was done is not known; its request_id makes sure that it is
 * done once. */
const again = [status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.RESOURCE_EXHAUSTED, status.ABORTED];

/** Calls until there is an answer that repeating would not change. */
async function retried<A>(call: () => Promise<A>): Promise<A> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      const failed = error as ServiceError;
      if (!again.includes(failed.code) || attempt === 5) throw failed;
      const wanted = detail(failed, RetryInfo)?.retryDelay;
      const asked = wanted ? Number(wanted.seconds) * 1000 + wanted.nanos / 1e6 : 0;
      await sleep(Math.max(100 * 2 ** attempt, asked));
    }
  }
}

async function failure(call: Promise<unknown>): Promise<ServiceError> {
  return call.then(() => Promise.reject(new Error("this should have been refused")), (error: ServiceError) => error);
}

/** The detail of this kind that a service sent with its error. */
function detail<M>(error: ServiceError, kind: { $type: string; decode(bytes: Uint8Array): M }): M | undefined {
  const [sent] = error.metadata?.get("grpc-status-details-bin") ?? [];
  if (!(sent instanceof Buffer)) return undefined;
  const found = Status.decode(sent).details.find((one) => one.typeUrl.endsWith(`/${kind.$type}`));
  return found && kind.decode(found.value);
}

/** Prints why a call was refused. */
function tell(error: ServiceError) {
  const why = detail(error, ErrorInfo);
  if (!why) throw error;
  console.log(`refused: ${why.reason} of ${why.domain}`);
  for (const violation of detail(error, BadRequest)?.fieldViolations ?? []) console.log(`  ${violation.field}`);
}

/** The same as a value of campaign-svc's own enum, to decide by. */
function reason(error: ServiceError): ErrorReason | undefined {
  const why = detail(error, ErrorInfo);
  if (why?.domain !== "tandem.campaign.v1") return undefined;
  return ErrorReason[`ERROR_REASON_${why.reason}` as keyof typeof ErrorReason];
}

/** Returns one mug. Three are more than were sold, and refused. */
async function takeBack() {
  const refused = await failure(back(3n));
  if (reason(refused) !== ErrorReason.ERROR_REASON_QUANTITY_EXCEEDED) throw refused;
  tell(refused);
  const { refund } = await back(1n);
  console.log(`returned: 1 mug, ${text(refund?.amount)} to pay back`);
}

function back(mugs: bigint): Promise<ReturnOrderLinesResponse> {
  const request = ReturnOrderLinesRequest.fromPartial({
    name: `orders/${order}`,
    lines: [{ lineId: "1", quantity: mugs }],
    requestId: `return-${mugs}-${order}`,
  });
  return retried(() => ask<ReturnOrderLinesRequest, ReturnOrderLinesResponse>(orders, orders.returnOrderLines, request));
}

/** Prints what happened to this client's orders since it last looked, until it has seen the return. The cursor is kept after
 * each event is dealt with: whoever stops goes on from there. */
async function follow() {
  const file = process.env.TANDEM_CURSOR ?? "cursor";
  const request = SubscribeRequest.fromPartial({
    cursor: existsSync(file) ? readFileSync(file, "utf8") : "",
    types: ["tandem.campaign.v1.Order"],
    aggregatePrefix: "orders/typescript-",
  });
  const events = new EventServiceClient(campaign, plain);
  const stream = events.subscribe(request, tenant, { deadline: Date.now() + 30_000 });
  for await (const response of stream as AsyncIterable<SubscribeResponse>) {
    const seen = response.event !== undefined && happened(response.event);
    writeFileSync(file, response.cursor);
    if (seen) break;
  }
  // Else the call stays open, and the program with it, until its deadline.
  stream.on("error", () => undefined).cancel();
}

/** Prints one event, and says whether it is the return of this order. */
function happened(event: Event): boolean {
  const payload = event.payload?.value ?? new Uint8Array();
  switch (event.type) {
    case "tandem.campaign.v1.OrderCommitted":
      console.log(`event: OrderCommitted, ${text(OrderCommitted.decode(payload).order?.total)}`);
      return false;
    case "tandem.campaign.v1.OrderLinesReturned": {
      const returned = OrderLinesReturned.decode(payload);
      console.log(`event: OrderLinesReturned, ${text(returned.refund?.amount)}`);
      return returned.order?.name === `orders/${order}`;
    }
    default:
      return false;
  }
}

function text(money: Money | undefined): string {
  return money ? `${money.units}.${String(money.nanos / 10_000_000).padStart(2, "0")} ${money.currencyCode}` : "nothing";
}

await main();
