"""A checkout that sells under Tandem: it quotes with a code, commits with retries, reads why it was refused, takes a line
back, and follows events from a stored cursor. Every client in clients/ tells this story and prints the same lines.
"""

import os
import sys
import time
from pathlib import Path

import grpc
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from grpc_status import rpc_status

from tandem.campaign.v1 import error_pb2, event_pb2, event_pb2_grpc, order_pb2, order_pb2_grpc
from tandem.campaign.v1 import pricing_pb2, pricing_pb2_grpc, product_pb2, product_pb2_grpc
from tandem.common.v1 import basket_pb2, discount_pb2, money_pb2
from tandem.relationship.v1 import incentive_pb2, incentive_pb2_grpc
from tandem.relationship.v1 import voucher_pb2, voucher_service_pb2_grpc

PRODUCT = "products/client-mug"
INCENTIVE = "incentives/client-ten-off"
CODE = "CLIENT-TEN"
TENANT = [("tandem-tenant", "clients")]
SECONDS = 10


def main():
    order = f"python-{time.time_ns()}"
    with (
        connect("TANDEM_CAMPAIGN", "http://127.0.0.1:7401") as shop,
        connect("TANDEM_RELATIONSHIP", "http://127.0.0.1:7402") as people,
    ):
        set_up(shop, people)
        sell(shop, order)
        take_back(order_pb2_grpc.OrderServiceStub(shop), order)
        follow(event_pb2_grpc.EventServiceStub(shop), order)


def connect(variable, otherwise):
    return grpc.insecure_channel(os.environ.get(variable, otherwise).removeprefix("http://"))


def ask(method, request):
    """Calls as the shop's tenant, and gives it ten seconds."""
    return method(request, metadata=TENANT, timeout=SECONDS)


def set_up(shop, people):
    """Makes what the story needs: a mug for 12.50 EUR, and a code for ten per cent off. What is there stays."""
    price = product_pb2.ListPrice(price=money_pb2.Money(currency_code="EUR", units=12, nanos=500_000_000))
    product = product_pb2.Product(display_name="Mug", prices=[price])
    create = product_pb2.CreateProductRequest(product_id=PRODUCT.removeprefix("products/"), product=product)
    unless_there(product_pb2_grpc.ProductServiceStub(shop).CreateProduct, create)
    discount = discount_pb2.Discount(percent=discount_pb2.PercentDiscount(rate_ppm=100_000))
    incentive = incentive_pb2.Incentive(display_name="Ten off", discount=discount, unlimited_uses_per_code=True)
    create = incentive_pb2.CreateIncentiveRequest(
        incentive_id=INCENTIVE.removeprefix("incentives/"), incentive=incentive
    )
    unless_there(incentive_pb2_grpc.IncentiveServiceStub(people).CreateIncentive, create)
    voucher = voucher_pb2.Voucher(code=CODE, incentive=INCENTIVE, unlimited_uses=True)
    vouchers = iter([voucher_pb2.ImportVouchersRequest(vouchers=[voucher])])
    for imported in ask(voucher_service_pb2_grpc.VoucherServiceStub(people).ImportVouchers, vouchers):
        if imported.failed:
            sys.exit(f"the code was not imported: {imported.failures}")
    print(f"set up: {PRODUCT}, {INCENTIVE}, code {CODE}")


def unless_there(method, request):
    try:
        ask(method, request)
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.ALREADY_EXISTS:
            raise


def sell(shop, order):
    """Quotes two mugs with the code and commits the order. A quote that cannot be made names every wrong field."""
    pricing, orders = pricing_pb2_grpc.PricingServiceStub(shop), order_pb2_grpc.OrderServiceStub(shop)
    try:
        ask(pricing.Quote, pricing_pb2.QuoteRequest(basket=basket(0)))
        sys.exit("no mug at all was quoted")
    except grpc.RpcError as error:
        tell(error)

    quote = ask(pricing.Quote, pricing_pb2.QuoteRequest(basket=basket(2), codes=[CODE]))
    totals = quote.totals
    print(f"quoted: 2 mugs, {text(totals.initial_amount)} less {text(totals.discount_amount)}")
    commit = order_pb2.CommitOrderRequest(
        order_id=order, quote_token=quote.quote_token, request_id=f"commit-{order}"
    )
    committed = retried(lambda: ask(orders.CommitOrder, commit))
    print(f"committed: {text(committed.order.total)}")

    if ask(orders.CommitOrder, commit) != committed:
        sys.exit("the same request_id was answered otherwise")
    print("asked again: the same answer")


def basket(mugs):
    line = basket_pb2.Line(id="1", product=PRODUCT, quantity=mugs)
    return basket_pb2.Basket(currency_code="EUR", lines=[line])


# Errors after which the same call is made again. Whether it was done is not known; its request_id makes sure that it is
# done once.
AGAIN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
}


def retried(call, attempts=6):
    """Calls until there is an answer that repeating would not change."""
    for attempt in range(attempts):
        try:
            return call()
        except grpc.RpcError as error:
            if error.code() not in AGAIN or attempt == attempts - 1:
                raise
            wanted = detail(error, RetryInfo())
            asked = wanted.retry_delay.ToTimedelta().total_seconds() if wanted else 0
            time.sleep(max(0.1 * 2**attempt, asked))


def detail(error, kind):
    """The detail of this kind that a service sent with its error, or None."""
    status = rpc_status.from_call(error)
    return next((kind for one in status.details if one.Unpack(kind)), None) if status else None


def tell(error):
    """Prints why a call was refused."""
    why = detail(error, ErrorInfo())
    if why is None:
        raise error
    print(f"refused: {why.reason} of {why.domain}")
    wrong = detail(error, BadRequest())
    for violation in wrong.field_violations if wrong else []:
        print(f"  {violation.field}")


def reason(error):
    """The same as a value of campaign-svc's own enum, to decide by."""
    why = detail(error, ErrorInfo())
    if why is None or why.domain != "tandem.campaign.v1":
        return error_pb2.ERROR_REASON_UNSPECIFIED
    return error_pb2.ErrorReason.Value(f"ERROR_REASON_{why.reason}")


def take_back(orders, order):
    """Returns one mug. Three are more than were sold, and refused."""

    def back(mugs):
        lines = [order_pb2.ReturnedOrderLine(line_id="1", quantity=mugs)]
        request = order_pb2.ReturnOrderLinesRequest(
            name=f"orders/{order}", lines=lines, request_id=f"return-{mugs}-{order}"
        )
        return retried(lambda: ask(orders.ReturnOrderLines, request))

    try:
        back(3)
        sys.exit("three of two mugs came back")
    except grpc.RpcError as error:
        if reason(error) != error_pb2.ERROR_REASON_QUANTITY_EXCEEDED:
            raise
        tell(error)
    print(f"returned: 1 mug, {text(back(1).refund.amount)} to pay back")


def follow(events, order):
    """Prints what happened to this client's orders since it last looked, until it has seen the return. The cursor is kept
    after each event is dealt with: whoever stops goes on from there."""
    file = Path(os.environ.get("TANDEM_CURSOR", "cursor"))
    request = event_pb2.SubscribeRequest(
        cursor=file.read_text() if file.exists() else "",
        types=["tandem.campaign.v1.Order"],
        aggregate_prefix="orders/python-",
    )
    for response in events.Subscribe(request, metadata=TENANT, timeout=30):
        seen = response.HasField("event") and happened(response.event, order)
        file.write_text(response.cursor)
        if seen:
            return


def happened(event, order):
    """Prints one event, and says whether it is the return of this order."""
    committed, returned = event_pb2.OrderCommitted(), event_pb2.OrderLinesReturned()
    if event.payload.Unpack(committed):
        print(f"event: OrderCommitted, {text(committed.order.total)}")
    elif event.payload.Unpack(returned):
        print(f"event: OrderLinesReturned, {text(returned.refund.amount)}")
        return returned.order.name == f"orders/{order}"
    return False


def text(money):
    return f"{money.units}.{money.nanos // 10_000_000:02} {money.currency_code}"


if __name__ == "__main__":
    main()
