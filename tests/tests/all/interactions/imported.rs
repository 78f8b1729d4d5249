//! What people did comes from files, as shops have them.

use std::fmt::Write as _;

use super::typed::ago;
use crate::cli::Up;

const ROWS: usize = 100_000;
/// One row in so many is wrong.
const WRONG: usize = 100;

fn customers(up: &Up) {
    let customers = up.file("customers.csv", "id\nada\nbob\n");
    up.tandem(&["customers", "import", "--file", &customers]);
}

/// What an import of which rows are refused prints.
fn refused(up: &Up, arguments: &[&str]) -> String {
    let output = up.run(arguments);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    told
}

#[test]
fn what_can_be_read_is_recorded_once_however_often_it_is_imported_and_the_rest_is_told() {
    let up = Up::start();
    customers(&up);
    let (past, future) = (ago(86_400), ago(-86_400));
    let mut text = "event_id;type;event_time;customer;amount;rating;scale;Till\n".to_owned();
    for at in 0..ROWS {
        let row = match (at % WRONG, at / WRONG % 3) {
            (7, 0) => format!("e{at};visited;{past};ada;;;;"),
            (7, 1) => format!("e{at};visit;{future};ada;;;;"),
            (7, _) => format!("e{at};payment;{past};ada;59.90;;;"),
            (1, _) => format!("e{at};payment;{past};bob;59,90 EUR;;;3"),
            (2, _) => format!("e{at};review;{past};bob;;4;1..5;"),
            _ => format!("e{at};visit;{past};ada;;;;{at}"),
        };
        writeln!(text, "{row}").unwrap();
    }
    let file = up.file("all.csv", &text);
    let rejects = up.folder.path().join("rejects.csv").display().to_string();
    let import = ["interactions", "import", "--file", &file, "--rejects", &rejects, "--attributes", "till"];
    let wrong = ROWS / WRONG;
    let told = refused(&up, &import);
    assert!(
        told.starts_with(&format!("{} recorded, 0 recorded before, {wrong} refused", ROWS - wrong)),
        "{told}"
    );

    let kept = std::fs::read_to_string(&rejects).unwrap();
    let kept: Vec<Vec<&str>> = kept.lines().skip(1).map(|row| row.splitn(4, ';').collect()).collect();
    assert_eq!(kept.len(), wrong);
    for (at, row) in kept.iter().enumerate() {
        assert_eq!(row[0], (at * WRONG + 7 + 2).to_string(), "in the order of lines");
        let (column, why) =
            [("type", "`visited` is no type"), ("event_time", "5 minutes ahead"), ("amount", "50.00 EUR")]
                [at % 3];
        assert!(row[1] == column && row[2].contains(why), "{row:?}");
    }
    let told = refused(&up, &import);
    assert!(
        told.starts_with(&format!("0 recorded, {} recorded before, {wrong} refused", ROWS - wrong)),
        "{told}"
    );
    let reviews =
        up.tandem(&["interactions", "list", "--customer", "bob", "--type", "review", "--limit", "2000"]);
    assert_eq!(reviews.matches("REVIEW").count(), ROWS / WRONG, "each once");
    up.stop();
}

#[test]
fn a_row_is_refused_by_the_service_in_the_column_that_fills_the_field() {
    let up = Up::start();
    customers(&up);
    let past = ago(3_600);
    let text = format!(
        "type,event_id,event_time,customer,order_id,amount,rating,scale\n\
         visit,,{past},ada,,,,\n\
         order,,{past},ada,#7,10.00 EUR,,\n\
         order,,{past},ada,,10.00 EUR,,\n\
         visit,v1,{past},eve,,,,\n\
         review,r1,{past},ada,,,9,1..5\n\
         review,r2,{past},ada,,,4,5..1\n\
         visit,v2,{past},,,,,\n"
    );
    let file = up.file("some.csv", &text);
    let told = refused(&up, &["interactions", "import", "--file", &file]);
    let lines: Vec<&str> = told.lines().map(str::trim).collect();
    assert_eq!(lines[0], "1 recorded, 0 recorded before, 6 refused");
    for (line, begins) in lines[1..].iter().zip([
        "line 2: event_id: ",
        "line 4: order_id: ",
        "line 5: customer: ",
        "line 6: rating: ",
        "line 7: scale: ",
        "line 8: customer: ",
    ]) {
        assert!(line.starts_with(begins), "{line}, not {begins}");
    }
    let other = up.file(
        "other.csv",
        &format!("type,event_id,event_time,customer\nvisit,#7,{past},ada\nvisit,#7,{past},bob\n"),
    );
    let told = refused(&up, &["interactions", "import", "--file", &other]);
    assert!(told.contains("line 3: event_id: ") && told.contains("other content"), "{told}");
    let unknown = up.file("unknown.csv", "type,event_id,amout\nvisit,v9,\n");
    let error = up.refused(&["interactions", "import", "--file", &unknown]);
    assert!(error.contains("column `amout` is not known") && error.contains("attr.NAME"), "{error}");
    up.stop();
}

#[test]
fn what_was_exported_is_known_where_it_was_and_recorded_elsewhere_as_it_was() {
    let (one, other) = (Up::start(), Up::start());
    customers(&one);
    customers(&other);
    let at = |seconds: i64| ago(86_400 + seconds);
    let text = format!(
        "event_id,type,event_time,customer,amount,order_id,product,medium,place,rating,scale,attributes,attr.till\n\
         e1,visit,{},ada,,,,email,AT,,,\"{{\"\"a\"\":\"\"=1\"\"}}\",4\n\
         ,order,{},ada,59.90 EUR,#1,,,stores/vienna,,,,\n\
         e3,return,{},ada,9.90 EUR,#1,mug,,,,,,\n\
         e4,survey_answer,{},ada,,,mug,,,-3,-5..5,,\n",
        at(0),
        at(1),
        at(2),
        at(3)
    );
    let file = one.file("ada.csv", &text);
    one.tandem(&["interactions", "import", "--file", &file]);
    let export = ["interactions", "export", "--customer", "ada", "--attributes", "till"];
    let before = one.tandem(&export);
    assert_eq!(before.lines().count(), 5, "{before}");
    assert!(before.contains("attr.till") && before.contains("-5..5"), "{before}");
    let path = one.file("export.csv", &before);
    let again = one.json(&["interactions", "import", "--file", &path]);
    assert_eq!((&again["known"], &again["failed"]), (&"4".into(), &"0".into()), "{again}");
    other.tandem(&["interactions", "import", "--file", &path]);
    assert_eq!(other.tandem(&export), before);
    let json =
        one.tandem(&["--output", "json", "interactions", "export", "--customer", "ada", "--type", "return"]);
    assert!(json.lines().count() == 1 && json.contains("INTERACTION_TYPE_RETURN"), "{json}");
    one.stop();
    other.stop();
}
