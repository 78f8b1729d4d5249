//! Who is in a segment, as an operator asks for it.

use crate::cli::Up;

#[test]
fn members_are_counted_streamed_explained_and_put_on_lists() {
    let up = Up::start();
    let customers = up.file(
        "customers.csv",
        "id,country,tags,attr.shoe_size\nada,AT,vip,38.5\nbob,AT,,43\ncyd,DE,vip,\ndan,AT,vip,46\n",
    );
    up.tandem(&["attributes", "create", "shoe_size", "--type", "number"]);
    up.tandem(&["customers", "import", "--file", &customers]);
    let rule = "customer.country == 'AT' && customer.attributes.shoe_size >= 40";
    up.tandem(&["segments", "create", "large", "--rule", rule, "--watched"]);
    assert_eq!(up.tandem(&["segments", "count", "large"]), "2 of 4 customers\n");
    assert_eq!(up.tandem(&["segments", "count", "--rule", "'vip' in customer.tags"]), "3 of 4 customers\n");
    let members = up.tandem(&["segments", "members", "segments/large"]);
    assert_eq!(members, "id\nbob\ndan\n");

    let said = up.tandem(&["segments", "explain", "large"]);
    assert!(said.contains("FROM customer") && said.contains("= \"AT\"") && !said.contains("'AT'"), "{said}");
    assert!(said.ends_with("the database says it all\n"), "{said}");
    let kept =
        up.tandem(&["segments", "explain", "--rule", "customer.id != 'x' && customer.id.matches('^a')"]);
    let at = "judged customer by customer, of those:\nline 1, column ";
    assert!(kept.contains(at) && kept.contains("patterns are read by one engine alone"), "{kept}");

    let ids = up.file("members.csv", &members);
    up.tandem(&["segments", "create", "friends", "--list"]);
    let told = up.tandem(&["segments", "import", "friends", "--file", &ids]);
    assert!(told.contains("2 added, 0 on it already, 0 refused"), "{told}");
    let more = up.file("more.csv", "id\nbob\nnobody\n");
    let refused = up.run(&["segments", "import", "friends", "--file", &more]);
    let told = String::from_utf8_lossy(&[refused.stdout, refused.stderr].concat()).into_owned();
    assert!(!refused.status.success());
    assert!(told.contains("0 added, 1 on it already, 1 refused"), "{told}");
    assert!(told.contains("line 3: id: customers/nobody"), "{told}");
    assert_eq!(up.tandem(&["segments", "members", "friends"]), members);

    // Told by the task that runs in the service; ends once both are.
    let entered = up.tandem(&["events", "tail", "--from-start", "--type", "SegmentEntered", "--limit", "2"]);
    assert_eq!(entered.matches("segments/large").count(), 2, "{entered}");

    let wrong = up.file("wrong.csv", "id,attr.shoe_size\neve,tall\n");
    let refused = up.run(&["customers", "import", "--file", &wrong]);
    let told = String::from_utf8_lossy(&[refused.stdout, refused.stderr].concat()).into_owned();
    assert!(told.contains("line 2: attr.shoe_size"), "{told}");
    let refused = up.refused(&["segments", "count", "--rule", "customer.attributes.height > 2"]);
    assert!(refused.contains("no attribute `height` is declared"), "{refused}");
    up.stop();
}
