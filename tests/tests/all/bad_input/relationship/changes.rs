//! What support gets wrong when it changes a code by hand.

use tandem_proto::relationship::v1::{
    AdjustBalanceRequest, ListUsableVouchersRequest, ListVoucherChangesRequest, UpdateVoucherRequest,
};

use super::*;

fn change(voucher: Voucher, paths: &[&str]) -> UpdateVoucherRequest {
    UpdateVoucherRequest {
        voucher: Some(voucher),
        update_mask: mask(paths),
        reason: "by hand".to_owned(),
        request_id: String::new(),
    }
}

fn named_voucher(code: &str) -> Voucher {
    Voucher { name: format!("vouchers/{code}"), ..Voucher::default() }
}

pub async fn codes_changed_by_hand(caller: &Relationship, table: &mut Table) {
    let mut vouchers = caller.vouchers.clone();
    let backward = Interval { start_time: Some(in_seconds(DAY)), end_time: Some(in_seconds(-DAY)) };
    let wrong = Voucher {
        validity: Some(backward),
        max_uses: Some(0),
        customer: "bob".to_owned(),
        labels: [("a".to_owned(), "b".repeat(129))].into(),
        ..named_voucher("")
    };
    let request = UpdateVoucherRequest {
        reason: "r".repeat(201),
        request_id: "has a space".to_owned(),
        ..change(wrong, &["validity", "max_uses", "customer", "labels", "uses"])
    };
    let fields = [
        "request_id",
        "update_mask",
        "reason",
        "voucher.name",
        "voucher.validity.end_time",
        "voucher.max_uses",
        "voucher.customer",
        "voucher.labels[a]",
    ];
    table.refuses("a change of nonsense", vouchers.update_voucher(request).await, invalid(&fields)).await;
    for (what, request, expected) in [
        (
            "a change of a code that does not exist",
            change(named_voucher("NO-SUCH"), &["labels"]),
            platform(Code::NotFound, "NOT_FOUND"),
        ),
        (
            "a change that ends a code",
            change(Voucher { disabled: true, ..named_voucher("ADAS") }, &["disabled"]),
            invalid(&["voucher.disabled"]),
        ),
        (
            "a version that is not current",
            change(Voucher { etag: "v99".to_owned(), ..named_voucher("ADAS") }, &["labels"]),
            platform(Code::Aborted, "ETAG_MISMATCH"),
        ),
    ] {
        table.refuses(what, vouchers.update_voucher(request).await, expected).await;
    }
    let adjust = AdjustBalanceRequest { amount: Some(amount(0, "EUR")), ..AdjustBalanceRequest::default() };
    let fields = ["request_id", "name", "reason", "amount"];
    table.refuses("an adjustment of nothing", vouchers.adjust_balance(adjust).await, invalid(&fields)).await;
    let adjust = AdjustBalanceRequest {
        name: "vouchers/GOOD".to_owned(),
        amount: Some(amount(100, "EUR")),
        reason: "by hand".to_owned(),
        request_id: "adjust".to_owned(),
    };
    let expected = table.rule("NOT_A_GIFT_CARD", &[]);
    table.refuses("more on what has no balance", vouchers.adjust_balance(adjust).await, expected).await;
    let list = ListVoucherChangesRequest { name: "GOOD".to_owned(), page_size: -1, ..Default::default() };
    let answer = vouchers.list_voucher_changes(list).await;
    table.refuses("changes of no name", answer, invalid(&["name", "page_size"])).await;
    let usable = ListUsableVouchersRequest::default();
    let answer = vouchers.list_usable_vouchers(usable).await;
    table.refuses("usable codes of nobody", answer, invalid(&["customer", "basket"])).await;
}
