package shop;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.github.tandem_marketing.campaign.v1.CommitOrderRequest;
import io.github.tandem_marketing.campaign.v1.CommitOrderResponse;
import io.github.tandem_marketing.campaign.v1.CreateProductRequest;
import io.github.tandem_marketing.campaign.v1.ErrorReason;
import io.github.tandem_marketing.campaign.v1.EventServiceGrpc;
import io.github.tandem_marketing.campaign.v1.ListPrice;
import io.github.tandem_marketing.campaign.v1.Order;
import io.github.tandem_marketing.campaign.v1.OrderCommitted;
import io.github.tandem_marketing.campaign.v1.OrderLinesReturned;
import io.github.tandem_marketing.campaign.v1.OrderServiceGrpc;
import io.github.tandem_marketing.campaign.v1.PricingServiceGrpc;
import io.github.tandem_marketing.campaign.v1.Product;
import io.github.tandem_marketing.campaign.v1.ProductServiceGrpc;
import io.github.tandem_marketing.campaign.v1.QuoteRequest;
import io.github.tandem_marketing.campaign.v1.QuoteResponse;
import io.github.tandem_marketing.campaign.v1.ReturnOrderLinesRequest;
import io.github.tandem_marketing.campaign.v1.ReturnOrderLinesResponse;
import io.github.tandem_marketing.campaign.v1.ReturnedOrderLine;
import io.github.tandem_marketing.campaign.v1.SubscribeRequest;
import io.github.tandem_marketing.campaign.v1.SubscribeResponse;
import io.github.tandem_marketing.campaign.v1.Totals;
import io.github.tandem_marketing.common.v1.Basket;
import io.github.tandem_marketing.common.v1.Discount;
import io.github.tandem_marketing.common.v1.Event;
import io.github.tandem_marketing.common.v1.Line;
import io.github.tandem_marketing.common.v1.Money;
import io.github.tandem_marketing.common.v1.PercentDiscount;
import io.github.tandem_marketing.relationship.v1.CreateIncentiveRequest;
import io.github.tandem_marketing.relationship.v1.ImportVouchersRequest;
import io.github.tandem_marketing.relationship.v1.ImportVouchersResponse;
import io.github.tandem_marketing.relationship.v1.Incentive;
import io.github.tandem_marketing.relationship.v1.IncentiveServiceGrpc;
import io.github.tandem_marketing.relationship.v1.Voucher;
import io.github.tandem_marketing.relationship.v1.VoucherServiceGrpc;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.AbstractBlockingStub;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * A checkout that sells under Tandem: it quotes with a code, commits with retries, reads why it was refused, takes a line back,
 * and follows events from a stored cursor. Every client in clients/ tells this story and prints the same lines.
 */
public final class Main {
  private static final String PRODUCT = "products/client-mug";
  private static final String INCENTIVE = "incentives/client-ten-off";
  private static final String CODE = "CLIENT-TEN";

  private final ManagedChannel shop = connect("TANDEM_CAMPAIGN", "http://127.0.0.1:7401");
  private final ManagedChannel people = connect("TANDEM_RELATIONSHIP", "http://127.0.0.1:7402");
  private final String order = "java-" + System.currentTimeMillis() + "-" + ProcessHandle.current().pid();

  public static void main(String[] arguments) throws Exception {
    Main story = new Main();
    story.setUp();
    story.sell();
    story.takeBack();
    story.follow();
    story.shop.shutdownNow();
    story.people.shutdownNow();
  }

  /** A connection that says in every call which tenant it is for. */
  private static ManagedChannel connect(String variable, String otherwise) {
    Metadata headers = new Metadata();
    headers.put(Metadata.Key.of("tandem-tenant", Metadata.ASCII_STRING_MARSHALLER), "clients");
    String address = Optional.ofNullable(System.getenv(variable)).orElse(otherwise).replace("http://", "");
    return ManagedChannelBuilder.forTarget(address)
        .usePlaintext()
        .intercept(MetadataUtils.newAttachHeadersInterceptor(headers))
        .build();
  }

  /** The deadline runs from the call on: each gets a stub of its own. */
  private static <S extends AbstractBlockingStub<S>> S soon(S stub) {
    return stub.withDeadlineAfter(Duration.ofSeconds(10));
  }

  private OrderServiceGrpc.OrderServiceBlockingStub orders() {
    return soon(OrderServiceGrpc.newBlockingStub(shop));
  }

  /** Makes what the story needs: a mug for 12.50 EUR, and a code for ten per cent off. What is there stays. */
  private void setUp() throws Exception {
    Money price = Money.newBuilder().setCurrencyCode("EUR").setUnits(12).setNanos(500_000_000).build();
    CreateProductRequest mug = CreateProductRequest.newBuilder()
        .setProductId(PRODUCT.replace("products/", ""))
        .setProduct(Product.newBuilder().setDisplayName("Mug").addPrices(ListPrice.newBuilder().setPrice(price)))
        .build();
    unlessThere(() -> soon(ProductServiceGrpc.newBlockingStub(shop)).createProduct(mug));
    PercentDiscount percent = PercentDiscount.newBuilder().setRatePpm(100_000).build();
    CreateIncentiveRequest tenOff = CreateIncentiveRequest.newBuilder()
        .setIncentiveId(INCENTIVE.replace("incentives/", ""))
        .setIncentive(Incentive.newBuilder()
            .setDisplayName("Ten off")
            .setDiscount(Discount.newBuilder().setPercent(percent))
            .setUnlimitedUsesPerCode(true))
        .build();
    unlessThere(() -> soon(IncentiveServiceGrpc.newBlockingStub(people)).createIncentive(tenOff));
    Voucher voucher = Voucher.newBuilder().setCode(CODE).setIncentive(INCENTIVE).setUnlimitedUses(true).build();
    CompletableFuture<ImportVouchersResponse> answer = new CompletableFuture<>();
    var stream = VoucherServiceGrpc.newStub(people).importVouchers(new Last<>(answer));
    stream.onNext(ImportVouchersRequest.newBuilder().addVouchers(voucher).build());
    stream.onCompleted();
    ImportVouchersResponse imported = answer.get(10, TimeUnit.SECONDS);
    if (imported.getFailed() > 0) {
      throw new IllegalStateException("the code was not imported: " + imported.getFailuresList());
    }
    System.out.printf("set up: %s, %s, code %s%n", PRODUCT, INCENTIVE, CODE);
  }

  /** Completes with the last answer of a stream. */
  private static final class Last<A> implements StreamObserver<A> {
    private final CompletableFuture<A> answer;
    private A latest;

    Last(CompletableFuture<A> answer) {
      this.answer = answer;
    }

    @Override
    public void onNext(A value) {
      latest = value;
    }

    @Override
    public void onError(Throwable error) {
      answer.completeExceptionally(error);
    }

    @Override
    public void onCompleted() {
      answer.complete(latest);
    }
  }

  private static void unlessThere(Supplier<?> call) {
    try {
      call.get();
    } catch (StatusRuntimeException error) {
      if (error.getStatus().getCode() != Code.ALREADY_EXISTS) {
        throw error;
      }
    }
  }

  /** Quotes two mugs with the code and commits the order. A quote that cannot be made names every wrong field. */
  private void sell() throws InterruptedException {
    tell(failure(() -> quote(QuoteRequest.newBuilder().setBasket(basket(0)))));

    QuoteResponse quote = quote(QuoteRequest.newBuilder().setBasket(basket(2)).addCodes(CODE));
    Totals totals = quote.getTotals();
    System.out.printf("quoted: 2 mugs, %s less %s%n", text(totals.getInitialAmount()), text(totals.getDiscountAmount()));
    CommitOrderRequest commit = CommitOrderRequest.newBuilder()
        .setOrderId(order)
        .setQuoteToken(quote.getQuoteToken())
        .setRequestId("commit-" + order)
        .build();
    CommitOrderResponse committed = retried(() -> orders().commitOrder(commit));
    System.out.printf("committed: %s%n", text(committed.getOrder().getTotal()));

    if (!orders().commitOrder(commit).equals(committed)) {
      throw new IllegalStateException("the same request_id was answered otherwise");
    }
    System.out.println("asked again: the same answer");
  }

  private QuoteResponse quote(QuoteRequest.Builder request) {
    return soon(PricingServiceGrpc.newBlockingStub(shop)).quote(request.build());
  }

  private static Basket basket(long mugs) {
    Line line = Line.newBuilder().setId("1").setProduct(PRODUCT).setQuantity(mugs).build();
    return Basket.newBuilder().setCurrencyCode("EUR").addLines(line).build();
  }

  /**
   * Errors after which the same call is made again. Whether it was done is not known; its request_id makes sure that it is done
   * once.
   */
  private static final Set<Code> AGAIN =
      Set.of(Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED, Code.ABORTED);

  /** Calls until there is an answer that repeating would not change. */
  private static <A> A retried(Supplier<A> call) throws InterruptedException {
    for (int attempt = 0; ; attempt++) {
      try {
        return call.get();
      } catch (StatusRuntimeException error) {
        if (!AGAIN.contains(error.getStatus().getCode()) || attempt == 5) {
          throw error;
        }
        com.google.protobuf.Duration wanted = detail(error, RetryInfo.class).map(RetryInfo::getRetryDelay)
            .orElse(com.google.protobuf.Duration.getDefaultInstance());
        Thread.sleep(Math.max(100L << attempt, wanted.getSeconds() * 1000 + wanted.getNanos() / 1_000_000));
      }
    }
  }

  private static StatusRuntimeException failure(Callable<?> call) {
    try {
      throw new IllegalStateException("this should have been refused: " + call.call());
    } catch (StatusRuntimeException error) {
      return error;
    } catch (Exception error) {
      throw new IllegalStateException(error);
    }
  }

  /** The detail of this kind that a service sent with its error. */
  private static <M extends Message> Optional<M> detail(StatusRuntimeException error, Class<M> kind) {
    for (Any detail : StatusProto.fromThrowable(error).getDetailsList()) {
      if (detail.is(kind)) {
        return Optional.of(unpack(detail, kind));
      }
    }
    return Optional.empty();
  }

  private static <M extends Message> M unpack(Any any, Class<M> kind) {
    try {
      return any.unpack(kind);
    } catch (InvalidProtocolBufferException error) {
      throw new IllegalStateException(error);
    }
  }

  /** Prints why a call was refused. */
  private static void tell(StatusRuntimeException error) {
    ErrorInfo why = detail(error, ErrorInfo.class).orElseThrow(() -> error);
    System.out.printf("refused: %s of %s%n", why.getReason(), why.getDomain());
    detail(error, BadRequest.class).ifPresent(wrong ->
        wrong.getFieldViolationsList().forEach(violation -> System.out.println("  " + violation.getField())));
  }

  /** The same as a value of campaign-svc's own enum, to decide by. */
  private static ErrorReason reason(StatusRuntimeException error) {
    return detail(error, ErrorInfo.class)
        .filter(why -> why.getDomain().equals("tandem.campaign.v1"))
        .map(why -> ErrorReason.valueOf("ERROR_REASON_" + why.getReason()))
        .orElse(ErrorReason.ERROR_REASON_UNSPECIFIED);
  }

  /** Returns one mug. Three are more than were sold, and refused. */
  private void takeBack() throws InterruptedException {
    StatusRuntimeException refused = failure(() -> back(3));
    if (reason(refused) != ErrorReason.ERROR_REASON_QUANTITY_EXCEEDED) {
      throw refused;
    }
    tell(refused);
    System.out.printf("returned: 1 mug, %s to pay back%n", text(back(1).getRefund().getAmount()));
  }

  private ReturnOrderLinesResponse back(long mugs) throws InterruptedException {
    ReturnOrderLinesRequest request = ReturnOrderLinesRequest.newBuilder()
        .setName("orders/" + order)
        .addLines(ReturnedOrderLine.newBuilder().setLineId("1").setQuantity(mugs))
        .setRequestId("return-" + mugs + "-" + order)
        .build();
    return retried(() -> orders().returnOrderLines(request));
  }

  /**
   * Prints what happened to this client's orders since it last looked, until it has seen the return. The cursor is kept after
   * each event is dealt with: whoever stops goes on from there.
   */
  private void follow() throws IOException {
    Path file = Path.of(Optional.ofNullable(System.getenv("TANDEM_CURSOR")).orElse("cursor"));
    SubscribeRequest request = SubscribeRequest.newBuilder()
        .setCursor(Files.exists(file) ? Files.readString(file) : "")
        .addTypes("tandem.campaign.v1.Order")
        .setAggregatePrefix("orders/java-")
        .build();
    var events = EventServiceGrpc.newBlockingStub(shop).withDeadlineAfter(Duration.ofSeconds(30)).subscribe(request);
    boolean seen = false;
    while (!seen) {
      SubscribeResponse response = events.next();
      seen = response.hasEvent() && happened(response.getEvent());
      Files.writeString(file, response.getCursor());
    }
  }

  /** Prints one event, and says whether it is the return of this order. */
  private boolean happened(Event event) {
    Any payload = event.getPayload();
    if (payload.is(OrderCommitted.class)) {
      Order committed = unpack(payload, OrderCommitted.class).getOrder();
      System.out.printf("event: OrderCommitted, %s%n", text(committed.getTotal()));
    } else if (payload.is(OrderLinesReturned.class)) {
      OrderLinesReturned returned = unpack(payload, OrderLinesReturned.class);
      System.out.printf("event: OrderLinesReturned, %s%n", text(returned.getRefund().getAmount()));
      return returned.getOrder().getName().equals("orders/" + order);
    }
    return false;
  }

  private static String text(Money money) {
    return String.format("%d.%02d %s", money.getUnits(), money.getNanos() / 10_000_000, money.getCurrencyCode());
  }
}
