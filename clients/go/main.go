// A checkout that sells under Tandem: it quotes with a code, commits with retries, reads why it was refused, takes a line
// back, and follows events from a stored cursor. Every client in clients/ tells this story and prints the same lines.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	campaign "github.com/tandem-marketing/tandem/clients/go/tandem/campaign/v1"
	common "github.com/tandem-marketing/tandem/clients/go/tandem/common/v1"
	relationship "github.com/tandem-marketing/tandem/clients/go/tandem/relationship/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const (
	product   = "products/client-mug"
	incentive = "incentives/client-ten-off"
	code      = "CLIENT-TEN"
)

func main() {
	order := fmt.Sprintf("go-%d", time.Now().UnixNano())
	if err := story(order); err != nil {
		log.Fatal(err)
	}
}

func story(order string) error {
	shop, err := connect("TANDEM_CAMPAIGN", "http://127.0.0.1:7401")
	if err != nil {
		return err
	}
	defer shop.Close()
	people, err := connect("TANDEM_RELATIONSHIP", "http://127.0.0.1:7402")
	if err != nil {
		return err
	}
	defer people.Close()
	if err := setUp(shop, people); err != nil {
		return err
	}
	if err := sell(shop, order); err != nil {
		return err
	}
	if err := takeBack(campaign.NewOrderServiceClient(shop), order); err != nil {
		return err
	}
	return follow(campaign.NewEventServiceClient(shop), order)
}

// connect answers a connection that says in every call which tenant it is for, and gives it ten seconds.
func connect(variable, otherwise string) (*grpc.ClientConn, error) {
	address := cmp.Or(os.Getenv(variable), otherwise)
	tenant := func(ctx context.Context) context.Context {
		return metadata.AppendToOutgoingContext(ctx, "tandem-tenant", "clients")
	}
	unary := func(ctx context.Context, method string, request, answer any, conn *grpc.ClientConn,
		invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
		ctx, cancel := context.WithTimeout(tenant(ctx), 10*time.Second)
		defer cancel()
		return invoke(ctx, method, request, answer, conn, options...)
	}
	stream := func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string,
		streamer grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
		return streamer(tenant(ctx), desc, conn, method, options...)
	}
	return grpc.NewClient(strings.TrimPrefix(address, "http://"),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(unary), grpc.WithStreamInterceptor(stream))
}

// setUp makes what the story needs: a mug for 12.50 EUR, and a code for ten per cent off. What is there stays.
func setUp(shop, people *grpc.ClientConn) error {
	ctx := context.Background()
	_, err := campaign.NewProductServiceClient(shop).CreateProduct(ctx, &campaign.CreateProductRequest{
		ProductId: strings.TrimPrefix(product, "products/"),
		Product: &campaign.Product{
			DisplayName: "Mug",
			Prices:      []*campaign.ListPrice{{Price: euros(12, 500_000_000)}},
		},
	})
	if status.Code(err) != codes.AlreadyExists && err != nil {
		return err
	}
	percent := &common.PercentDiscount{RatePpm: 100_000}
	_, err = relationship.NewIncentiveServiceClient(people).CreateIncentive(ctx, &relationship.CreateIncentiveRequest{
		IncentiveId: strings.TrimPrefix(incentive, "incentives/"),
		Incentive: &relationship.Incentive{
			DisplayName:          "Ten off",
			Discount:             &common.Discount{Kind: &common.Discount_Percent{Percent: percent}},
			UnlimitedUsesPerCode: true,
		},
	})
	if status.Code(err) != codes.AlreadyExists && err != nil {
		return err
	}
	stream, err := relationship.NewVoucherServiceClient(people).ImportVouchers(ctx)
	if err != nil {
		return err
	}
	vouchers := []*relationship.Voucher{{Code: code, Incentive: incentive, UnlimitedUses: true}}
	if err := stream.Send(&relationship.ImportVouchersRequest{Vouchers: vouchers}); err != nil {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for {
		imported, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if imported.Failed != 0 {
			return fmt.Errorf("the code was not imported: %v", imported.Failures)
		}
	}
	fmt.Printf("set up: %s, %s, code %s\n", product, incentive, code)
	return nil
}

// sell quotes two mugs with the code and commits the order. A quote that cannot be made names every wrong field.
func sell(shop *grpc.ClientConn, order string) error {
	ctx := context.Background()
	pricing, orders := campaign.NewPricingServiceClient(shop), campaign.NewOrderServiceClient(shop)
	if _, err := pricing.Quote(ctx, &campaign.QuoteRequest{Basket: basket(0)}); !refused(err) {
		return fmt.Errorf("no mug at all was quoted: %v", err)
	}

	quote, err := pricing.Quote(ctx, &campaign.QuoteRequest{Basket: basket(2), Codes: []string{code}})
	if err != nil {
		return err
	}
	fmt.Printf("quoted: 2 mugs, %s less %s\n", text(quote.Totals.InitialAmount), text(quote.Totals.DiscountAmount))
	commit := &campaign.CommitOrderRequest{OrderId: order, QuoteToken: quote.QuoteToken, RequestId: "commit-" + order}
	committed, err := retried(func() (*campaign.CommitOrderResponse, error) { return orders.CommitOrder(ctx, commit) })
	if err != nil {
		return err
	}
	fmt.Printf("committed: %s\n", text(committed.Order.Total))

	again, err := orders.CommitOrder(ctx, commit)
	if err != nil || !proto.Equal(again, committed) {
		return fmt.Errorf("the same request_id was answered otherwise: %v, %v", again, err)
	}
	fmt.Println("asked again: the same answer")
	return nil
}

func basket(mugs int64) *common.Basket {
	return &common.Basket{
		CurrencyCode: "EUR",
		Lines:        []*common.Line{{Id: "1", Product: product, Quantity: mugs}},
	}
}

// retried calls until there is an answer that repeating would not change. Whether a call that failed so was done is not
// known; its request_id makes sure that it is done once.
func retried[A any](call func() (A, error)) (A, error) {
	delay := 100 * time.Millisecond
	for attempt := 1; ; attempt++ {
		answer, err := call()
		switch status.Code(err) {
		case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted, codes.Aborted:
		default:
			return answer, err
		}
		if attempt == 6 {
			return answer, err
		}
		time.Sleep(max(delay, wanted(err)))
		delay *= 2
	}
}

// wanted is how long the service asks to be left alone, where it says so.
func wanted(err error) time.Duration {
	for _, detail := range status.Convert(err).Details() {
		if retry, ok := detail.(*errdetails.RetryInfo); ok {
			return retry.RetryDelay.AsDuration()
		}
	}
	return 0
}

// refused prints why a call was refused, and says whether it was.
func refused(err error) bool {
	refusal := false
	for _, detail := range status.Convert(err).Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			fmt.Printf("refused: %s of %s\n", detail.Reason, detail.Domain)
			refusal = true
		case *errdetails.BadRequest:
			for _, violation := range detail.FieldViolations {
				fmt.Printf("  %s\n", violation.Field)
			}
		}
	}
	return refusal
}

// reason is the same as a value of campaign-svc's own enum, to decide by.
func reason(err error) campaign.ErrorReason {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.Domain == "tandem.campaign.v1" {
			return campaign.ErrorReason(campaign.ErrorReason_value["ERROR_REASON_"+info.Reason])
		}
	}
	return campaign.ErrorReason_ERROR_REASON_UNSPECIFIED
}

// takeBack returns one mug. Three are more than were sold, and refused.
func takeBack(orders campaign.OrderServiceClient, order string) error {
	back := func(mugs int64) (*campaign.ReturnOrderLinesResponse, error) {
		lines := []*campaign.ReturnedOrderLine{{LineId: "1", Quantity: mugs}}
		request := &campaign.ReturnOrderLinesRequest{
			Name: "orders/" + order, Lines: lines, RequestId: fmt.Sprintf("return-%d-%s", mugs, order),
		}
		return retried(func() (*campaign.ReturnOrderLinesResponse, error) {
			return orders.ReturnOrderLines(context.Background(), request)
		})
	}
	_, err := back(3)
	if reason(err) != campaign.ErrorReason_ERROR_REASON_QUANTITY_EXCEEDED {
		return fmt.Errorf("three of two mugs came back: %v", err)
	}
	refused(err)
	returned, err := back(1)
	if err != nil {
		return err
	}
	fmt.Printf("returned: 1 mug, %s to pay back\n", text(returned.Refund.Amount))
	return nil
}

// follow prints what happened to this client's orders since it last looked, until it has seen the return. The cursor is kept
// after each event is dealt with: whoever stops goes on from there.
func follow(events campaign.EventServiceClient, order string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	file := cmp.Or(os.Getenv("TANDEM_CURSOR"), "cursor")
	cursor, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	stream, err := events.Subscribe(ctx, &campaign.SubscribeRequest{
		Cursor: string(cursor), Types: []string{"tandem.campaign.v1.Order"}, AggregatePrefix: "orders/go-",
	})
	if err != nil {
		return err
	}
	for {
		next, err := stream.Recv()
		if err != nil {
			return err
		}
		seen, err := happened(next.Event, order)
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(next.Cursor), 0o644); err != nil || seen {
			return err
		}
	}
}

// happened prints one event, and says whether it is the return of this order.
func happened(event *common.Event, order string) (bool, error) {
	if event == nil {
		return false, nil
	}
	payload, err := event.Payload.UnmarshalNew()
	if err != nil {
		return false, err
	}
	switch payload := payload.(type) {
	case *campaign.OrderCommitted:
		fmt.Printf("event: OrderCommitted, %s\n", text(payload.Order.Total))
	case *campaign.OrderLinesReturned:
		fmt.Printf("event: OrderLinesReturned, %s\n", text(payload.Refund.Amount))
		return payload.Order.Name == "orders/"+order, nil
	}
	return false, nil
}

func euros(units int64, nanos int32) *common.Money {
	return &common.Money{CurrencyCode: "EUR", Units: units, Nanos: nanos}
}

func text(money *common.Money) string {
	return fmt.Sprintf("%d.%02d %s", money.Units, money.Nanos/10_000_000, money.CurrencyCode)
}
