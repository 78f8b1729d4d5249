//! Files as shops have them, on their way in and out by the command `tandem`.

use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cli::Up;

/// How long anything may take here that is not broken.
const PATIENCE: Duration = Duration::from_secs(60);

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// What an import of which rows are refused prints.
fn refused(up: &Up, arguments: &[&str]) -> String {
    let output = up.run(arguments);
    let (told, error) = said(&output);
    assert_eq!(output.status.code(), Some(1), "tandem {arguments:?}: {told}{error}");
    assert!(error.contains("refused"), "{error}");
    told
}

fn customer(up: &Up, id: &str) -> Value {
    up.json(&["customers", "show", id])["customer"].clone()
}

/// A file of these bytes beside the services.
fn file(up: &Up, name: &str, bytes: &[u8]) -> String {
    let path = up.folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

fn lines(path: &str) -> Vec<String> {
    String::from_utf8_lossy(&std::fs::read(path).unwrap()).lines().map(str::to_owned).collect()
}

#[test]
fn every_row_that_can_be_read_goes_in_and_the_others_are_mended_and_imported_again() {
    let up = Up::start();
    let rejects = up.folder.path().join("rejects.csv").display().to_string();
    let customers = file(
        &up,
        "customers.csv",
        b"ID;Display Name;Country;Birthday;Tags;Attr.Note\r\n\
          1;Ada;AT;1990-02-28;vip|early;\r\n\
          2;Jos\xE9;ES;;;\r\n\
          3;short\r\n\
          4;Eve;AT;--02-29;;\"two\r\nlines\"\r\n\
          5;Bob;UK;;;\r\n\
          6;Zoe;DE;28.2.90;;\r\n\
          7;\"open;DE;;;\r\n\
          8;Kim;DE;;;\r\n",
    );
    let told = refused(&up, &["customers", "import", "--file", &customers, "--rejects", &rejects]);
    assert!(told.starts_with("3 created, 0 updated, 5 refused"), "{told}");
    let birthday = customer(&up, "1")["birthday"].clone();
    assert_eq!((birthday["year"].as_i64(), birthday["day"].as_i64()), (Some(1990), Some(28)));
    assert!(customer(&up, "1")["attributes"].is_null(), "a birthday is no attribute");
    assert_eq!(customer(&up, "1")["tags"], serde_json::json!(["early", "vip"]));
    assert_eq!(customer(&up, "4")["attributes"]["Note"], "two\r\nlines");
    assert_eq!(customer(&up, "8")["displayName"], "Kim");

    let kept = lines(&rejects);
    assert_eq!(
        kept[0],
        "reject.line;reject.column;reject.reason;ID;Display Name;Country;Birthday;Tags;Attr.Note"
    );
    let places: Vec<String> =
        kept[1..].iter().map(|row| row.split(';').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(places, ["3 display_name", "4 ", "7 country", "8 birthday", "9 "]);
    assert!(kept[1].contains("--encoding windows-1252"), "{}", kept[1]);
    assert!(kept[3].contains("GB"), "the service says what may be meant: {}", kept[3]);

    // By hand, as somebody would who has these rows alone.
    let mended: Vec<u8> = std::fs::read(&rejects).unwrap();
    let mended = String::from_utf8_lossy(&mended)
        .replace('\u{FFFD}', "é")
        .replace(";3;short", ";3;short;AT;;;")
        .replace(";UK;", ";GB;")
        .replace(";28.2.90;", ";1990-02-28;")
        .replace("\"\"\"open\"", "open");
    let mended = up.file("mended.csv", &mended);
    let imported = up.json(&["customers", "import", "--file", &mended]);
    assert_eq!((&imported["created"], &imported["failed"]), (&"5".into(), &"0".into()), "{imported}");
    assert_eq!(
        (&customer(&up, "2")["displayName"], &customer(&up, "7")["displayName"]),
        (&"José".into(), &"open".into())
    );
    up.stop();
}

#[test]
fn a_file_is_read_in_its_encoding_and_its_forms_of_dates() {
    let up = Up::start();
    let customers =
        file(&up, "latin.csv", b"id,display_name,birthday,since_time\n1,Jos\xE9,28.2.1990,1.1.2020\n");
    let import = ["customers", "import", "--file", &customers, "--encoding", "windows-1252"];
    let forms = ["--date-format", "%d.%m.%Y", "--time-zone", "Europe/Vienna"];
    up.tandem(&[&import[..], &forms].concat());
    let found = customer(&up, "1");
    assert_eq!((&found["displayName"], &found["birthday"]["month"]), (&"José".into(), &2.into()));
    assert_eq!(found["sinceTime"], "2019-12-31T23:00:00Z");
    let unzoned = refused(&up, &[&import[..], &forms[..2]].concat());
    assert!(unzoned.contains("line 2: since_time: ") && unzoned.contains("--time-zone"), "{unzoned}");
    for (more, part) in [
        (["--encoding", "latin-99"], "--encoding: `latin-99` is no encoding"),
        (["--date-format", "TT.MM.JJ"], "--date-format: `TT.MM.JJ`"),
        (["--time-zone", "Vienna"], "--time-zone: `Vienna`"),
    ] {
        let error = up.refused(&[&["customers", "import", "--file", &customers][..], &more].concat());
        assert!(error.contains(part), "{error}");
    }
    let mut utf_16: Vec<u8> = vec![0xFF, 0xFE];
    utf_16.extend("id\tdisplay_name\n2\tÉva\n".encode_utf16().flat_map(u16::to_le_bytes));
    let utf_16 = file(&up, "utf16.csv", &utf_16);
    up.tandem(&["customers", "import", "--file", &utf_16]);
    assert_eq!(customer(&up, "2")["displayName"], "Éva");
    up.stop();
}

#[test]
fn standard_input_is_a_file_and_a_head_that_is_wrong_is_refused_before_anything_is_sent() {
    let up = Up::start();
    let imported = up.piped(&["customers", "import", "--file", "-"], "id,country\nada,AT\n");
    assert!(imported.starts_with("1 created"), "{imported}");
    for (head, parts) in [
        (
            "id,e-mail",
            &["column `e-mail` is not known", "known columns are id, display_name, email, phone"][..],
        ),
        ("id,email,Email", &["column `email` stands there twice"]),
        ("email", &["the head has no column `id`"]),
    ] {
        let wrong = up.file("wrong.csv", &format!("{head}\nbob,b,c\n"));
        let error = up.refused(&["customers", "import", "--file", &wrong]);
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
    let error = up.refused(&["customers", "show", "bob"]);
    assert!(error.contains("does not exist"), "{error}");
    let attributes = up.file("attributes.csv", "id,Shoe Size,attr.Hat\nbob,42,straw\n");
    up.tandem(&["customers", "import", "--file", &attributes, "--attributes", "shoe_size"]);
    assert_eq!(customer(&up, "bob")["attributes"], serde_json::json!({ "shoe_size": "42", "Hat": "straw" }));
    let plain = up.file("plain.csv", "id\nbob\n");
    let same = up.refused(&["customers", "import", "--file", &plain, "--rejects", &plain]);
    assert!(same.contains("--rejects"), "{same}");
    up.stop();
}

#[test]
fn an_empty_cell_and_a_column_that_is_not_there_change_nothing_unless_that_is_asked_for() {
    let up = Up::start();
    let import = |name: &str, text: &str, more: &[&str]| {
        let path = up.file(name, text);
        up.json(&[&[name.split('.').next().unwrap(), "import", "--file", &path][..], more].concat())
    };
    import("customers.csv", "id,country,email,attr.hat,attr.shoe\nada,AT,ada@example.org,straw,42\n", &[]);
    import("customers.csv", "id,country,attr.shoe\nada,,43\n", &[]);
    let ada = customer(&up, "ada");
    assert_eq!((&ada["country"], &ada["email"]), (&"AT".into(), &"ada@example.org".into()));
    assert_eq!(
        ada["attributes"],
        serde_json::json!({ "hat": "straw", "shoe": "43" }),
        "no hat is wiped unseen"
    );
    import("customers.csv", "id,country,attr.shoe\nada,,\n", &["--clear-empty"]);
    let ada = customer(&up, "ada");
    assert!(ada["country"].is_null() && ada["email"] == "ada@example.org", "{ada}");
    assert_eq!(ada["attributes"], serde_json::json!({ "hat": "straw" }));

    import(
        "products.csv",
        "id,prices,tax,attr.colour,attr.size\nmug,12.50 EUR|DE=12.00 EUR,20 %,red,L\n",
        &[],
    );
    let second = "id;Prices;tax;attr.size\nmug;;0;M\ncup;\"7,50 EUR\";7,5;\n";
    assert_eq!(import("products.csv", second, &[])["created"], "1");
    let mug = up.json(&["products", "show", "mug"]);
    assert!(mug["prices"].as_array().unwrap().len() == 2 && mug["taxRatePpm"].is_null(), "0 was said: {mug}");
    assert_eq!(mug["attributes"], serde_json::json!({ "colour": "red", "size": "M" }));
    assert_eq!(up.json(&["products", "show", "cup"])["taxRatePpm"], 75_000);
    up.stop();
}

#[test]
fn what_is_exported_is_imported_elsewhere_and_exported_as_it_was() {
    let (one, other) = (Up::start(), Up::start());
    let customers = "id,display_name,phone,country,birthday,tags,since_time,attributes\n\
        a,\" =cmd|'/c calc'!A0 \",+43 660 1234567,AT,--02-29,\"vip|a\\|b\",2020-01-01T00:00:00Z,\"{\"\"a;b\"\":\"\"-1\"\"}\"\n\
        b,'@home,,,1990-02-28,-x,2020-01-02T00:00:00Z,\n\
        c,\"two\r\nlines\",,,,,2020-01-03T00:00:00Z,\n";
    let customers = one.file("customers.csv", &customers.replace("two\r\nlines", "two, \"\"lines\"\""));
    one.tandem(&["customers", "import", "--file", &customers]);
    let products = "id,display_name,categories,prices,unit_costs,tax,attributes\n\
        mug,=Mug,kitchen|red,12.50 EUR|AT=12.00 EUR|stores/berlin=7 JPY,4.00 EUR|1.250 KWD,12.3456 %,\"{\"\"size\"\":\"\"L\"\"}\"\n\
        pin,,,,,,\n";
    let products = one.file("products.csv", products);
    one.tandem(&["products", "import", "--file", &products]);
    for up in [&one, &other] {
        up.tandem(&["incentives", "create", "card", "--gift-card"]);
    }
    other.tandem(&["customers", "import", "--file", &customers]);
    let codes = one.file(
        "codes.csv",
        "code,customer,source_id,initial_balance,adjustments,valid_until,labels\n\
         CARD-1,a,=1+1,50.00 EUR,-5.25 EUR,2099-01-01T00:00:00Z,\"{\"\"channel\"\":\"\"print\"\"}\"\n夏のセール,,,10.00 EUR,,,\n",
    );
    one.tandem(&["vouchers", "import", "--incentive", "card", "--file", &codes]);

    for kind in ["customers", "products", "vouchers"] {
        let incentive: &[&str] = if kind == "vouchers" { &["--incentive", "card"] } else { &[] };
        let export = [&[kind, "export"][..], incentive].concat();
        let before = one.tandem(&export);
        let cells = before.lines().flat_map(|line| line.split(','));
        assert!(
            cells.clone().count() > 10
                && !cells.into_iter().any(|cell| cell.starts_with(['=', '+', '-', '@']))
        );
        let path = one.file("export.csv", &before);
        other.tandem(&[&[kind, "import", "--file", &path][..], incentive].concat());
        assert_eq!(other.tandem(&export), before, "{kind}");
        let to = other.folder.path().join("to.csv").display().to_string();
        assert_eq!(other.tandem(&[&export[..], &["--file", &to]].concat()), "");
        assert_eq!(std::fs::read_to_string(to).unwrap(), before);
        let json = one.tandem(&[&["--output", "json"], &export[..], &["--file", "-"]].concat());
        let documents: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(documents.len() + 1, before.lines().count(), "{json}");
        assert!(documents.iter().all(|one| one["name"].as_str().unwrap().starts_with(kind)), "{json}");
    }
    let austria =
        one.tandem(&["customers", "export", "--filter", "customer.country == 'AT'", "--attributes", "a;b"]);
    assert!(
        austria.lines().count() == 2 && austria.contains("attr.a;b") && austria.contains("'-1"),
        "{austria}"
    );
    one.stop();
    other.stop();
}

#[test]
fn every_refusal_is_kept_and_the_first_are_told_to_whoever_keeps_none() {
    let up = Up::start();
    let rows: String =
        (0..2_500).map(|at| format!("c{at},{}\n", if at < 150 { "UK" } else { "AT" })).collect();
    let customers = up.file("customers.csv", &format!("id,country\n{rows}"));
    let told = refused(&up, &["customers", "import", "--file", &customers]);
    assert!(told.starts_with("2350 created, 0 updated, 150 refused\n  line 2: country: "), "{told}");
    assert!(told.lines().count() == 22 && told.contains("and 130 more; --rejects FILE"), "{told}");
    let rejects = up.folder.path().join("rejects.csv").display().to_string();
    let output =
        up.run(&["--output", "json", "customers", "import", "--file", &customers, "--rejects", &rejects]);
    let summary: Value = serde_json::from_str(&said(&output).0).unwrap();
    assert_eq!((&summary["updated"], &summary["failed"]), (&"2350".into(), &"150".into()), "{summary}");
    assert_eq!(lines(&rejects).len(), 151);
    up.stop();
}

#[test]
fn an_import_that_breaks_off_says_where_to_go_on_and_loses_and_repeats_nothing() {
    const ROWS: usize = 20_000;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let free = ["--data", &data, "--campaign-listen", "127.0.0.1:0", "--relationship-listen", "127.0.0.1:0"];
    let up = Up::with(&free, &[]);
    let row = |at: usize| format!("c{at},{}\n", if at.is_multiple_of(1_000) { "UK" } else { "AT" });
    let text = format!("id,country\n{}", (0..ROWS).map(row).collect::<String>());
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("all.csv"), &text).unwrap();
    let rejects = path("rejects.csv");
    let import = ["customers", "import", "--rejects", &rejects];
    let mut broken = up.command(&[&import[..], &["--file", "-"]].concat());
    let mut child =
        broken.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    // What comes behind the middle waits until the service is gone.
    let middle = text.len() / 2;
    let begun = std::thread::spawn({
        let text = text.clone();
        move || {
            std::io::Write::write_all(&mut pipe, &text.as_bytes()[..middle]).unwrap();
            (pipe, text)
        }
    });
    let end = Instant::now() + PATIENCE;
    while !up.run(&["customers", "show", "c3500"]).status.success() {
        assert!(Instant::now() < end, "nothing is imported");
    }
    drop(up);
    let (mut pipe, text) = begun.join().unwrap();
    // Whoever has given up reads no more.
    let _ = std::io::Write::write_all(&mut pipe, &text.as_bytes()[middle..]);
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    let (told, error) = said(&output);
    assert_eq!(output.status.code(), Some(1), "{told}{error}");
    let (_, line) = error.split_once("--from-line ").unwrap_or_else(|| panic!("{error}"));
    let line: usize = line.trim().parse().unwrap();
    assert!((3_500..ROWS).contains(&line), "{error}");
    let before = lines(&rejects).len() - 1;
    assert!((4..20).contains(&before), "{before}");

    let up = Up::with(&free, &[]);
    let from = line.to_string();
    let (all, counted) = (path("all.csv"), |told: &str| -> usize {
        let numbers = told.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
        numbers.take(3).map(|number| number.parse::<usize>().unwrap()).sum()
    });
    let told = refused(&up, &[&import[..], &["--file", &all, "--from-line", &from]].concat());
    assert_eq!(counted(&told), ROWS + 2 - line, "{told}");
    let kept = lines(&rejects);
    let kept: Vec<usize> =
        kept[1..].iter().map(|row| row.split(',').next().unwrap().parse().unwrap()).collect();
    assert_eq!(kept, (0..20).map(|at| at * 1_000 + 2).collect::<Vec<_>>(), "each once, in order");
    assert_eq!(up.tandem(&["customers", "export"]).lines().count(), ROWS - 20 + 1);
    up.stop();
}

#[test]
fn an_import_waits_for_a_service_that_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let free = ["--data", &data, "--campaign-listen", "127.0.0.1:0", "--relationship-listen", "127.0.0.1:0"];
    let up = Up::with(&free, &[]);
    let (relationship, mut import) =
        (up.relationship.clone(), up.command(&["customers", "import", "--file", "-"]));
    let mut child =
        import.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let rows = |from: usize| (from..from + 1_000).map(|at| format!("c{at}\n")).collect::<String>();
    std::io::Write::write_all(&mut pipe, format!("id\n{}{}", rows(0), rows(1_000)).as_bytes()).unwrap();
    let end = Instant::now() + PATIENCE;
    while !up.run(&["customers", "show", "c999"]).status.success() {
        assert!(Instant::now() < end, "nothing is imported");
    }
    drop(up);
    let again = relationship.trim_start_matches("http://").to_owned();
    let up = Up::with(&[&free[..4], &["--relationship-listen", &again]].concat(), &[]);
    std::io::Write::write_all(&mut pipe, rows(2_000).as_bytes()).unwrap();
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    let (told, error) = said(&output);
    assert!(output.status.success(), "{told}{error}");
    assert!(told.contains(" 0 refused") && told.contains("created"), "{told}");
    assert_eq!(up.tandem(&["customers", "export"]).lines().count(), 3_001);
    up.stop();
}
