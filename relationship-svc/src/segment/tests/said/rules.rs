//! Rules that are drawn, and one of each kind.

/// Texts of people and of rules; composed, as they are kept.
pub const TEXTS: [&str; 16] = [
    "", "a", "A", "b", "vip", "jazz", "Größe", "größe", "😀", "日本", "50%", "a_b", "x'y", "q\"\\", "zz\tz",
    "42",
];

/// Where decisions come from; 0 where they have run out.
pub struct Numbers(std::vec::IntoIter<u32>);

impl Numbers {
    pub fn new(numbers: Vec<u32>) -> Self {
        Self(numbers.into_iter())
    }

    /// One of so many.
    pub fn of(&mut self, count: usize) -> usize {
        self.0.next().map_or(0, |number| number as usize % count)
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.of(of.len())]
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'").replace('\t', "\\t"))
}

/// A rule.
pub fn rule(numbers: &mut Numbers) -> String {
    let mut writer = Writer { numbers, bound: Vec::new(), loops: 0 };
    writer.truth(4)
}

struct Writer<'a> {
    numbers: &'a mut Numbers,
    bound: Vec<String>,
    loops: usize,
}

const KEYS: [&str; 4] = ["size", "club", "joined", "note"];
const COMPARED: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

impl Writer<'_> {
    fn truth(&mut self, depth: usize) -> String {
        if depth == 0 {
            return match self.numbers.of(6) {
                0 => "true".to_owned(),
                1 => "false".to_owned(),
                2 => "customer.attributes.club".to_owned(),
                3 => format!("has(customer.attributes.{})", self.numbers.pick(&KEYS)),
                4 => format!("{} in customer.tags", self.text(0)),
                _ => format!("customer.country == {}", self.text(0)),
            };
        }
        let below = depth - 1;
        match self.numbers.of(20) {
            0 | 1 => format!("({} && {})", self.truth(below), self.truth(below)),
            2 | 3 => format!("({} || {})", self.truth(below), self.truth(below)),
            4 | 5 => format!("!({})", self.truth(below)),
            6 => format!("({} ? {} : {})", self.truth(below), self.truth(below), self.truth(below)),
            7 | 8 => format!("{} {} {}", self.whole(below), self.numbers.pick(&COMPARED), self.whole(below)),
            9 | 10 => format!("{} {} {}", self.text(below), self.numbers.pick(&COMPARED), self.text(below)),
            11 => format!("{} {} {}", self.decimal(below), self.numbers.pick(&COMPARED), self.number(below)),
            12 => format!("({} == {})", self.truth(below), self.truth(0)),
            13 => {
                format!("{} in [{}, {}, {}]", self.text(below), self.text(0), self.text(0), self.text(below))
            }
            14 => format!("{} in [{}, {}]", self.whole(below), self.whole(0), self.whole(below)),
            15 => {
                let list = ["customer.tags", "customer.attributes", "customer.attributes.likes", "[]"];
                format!("{} in {}", self.text(below), self.numbers.pick(&list))
            }
            16 => {
                let search = self.numbers.pick(&["contains", "startsWith", "endsWith", "contains"]);
                format!("{}.{search}({})", self.text(below), self.text(below))
            }
            17 => format!("{}.matches('^[a-z]')", self.text(0)),
            _ => self.over(below),
        }
    }

    fn over(&mut self, below: usize) -> String {
        if self.loops == 2 {
            return self.truth(0);
        }
        let list = self.numbers.pick(&["customer.tags", "customer.tags", "customer.attributes"]);
        let quantity = self.numbers.pick(&["exists", "all", "exists_one"]);
        let name = format!("v{}", self.loops);
        self.loops += 1;
        self.bound.push(name.clone());
        let test = self.truth(below.min(2));
        self.bound.pop();
        self.loops -= 1;
        format!("{list}.{quantity}({name}, {test})")
    }

    fn number(&mut self, depth: usize) -> String {
        if self.numbers.of(2) == 0 { self.whole(depth) } else { self.decimal(depth) }
    }

    fn whole(&mut self, depth: usize) -> String {
        if depth == 0 {
            let plain = [
                "0",
                "1",
                "-1",
                "29",
                "366",
                "9007199254740993",
                "9223372036854775807",
                "customer.birthday_month",
                "customer.birthday_day",
                "customer.age_days",
                "now.month",
                "now.weekday",
                "now.hour",
                "now.year",
                "days_to_birthday",
                "size(customer.tags)",
                "size(customer.attributes)",
                "size(customer.attributes.likes)",
                "orders(30).count",
                "orders(365).amount('EUR')",
                "orders(100).amount('JPY')",
                "relationship.amount('EUR')",
                "relationship.frequency",
                "relationship.recency_days",
                "relationship.inactive_days",
                "relationship.satisfaction",
                "last('VISIT')",
                "last('ORDER')",
            ];
            return self.numbers.pick(&plain).to_owned();
        }
        let below = depth - 1;
        match self.numbers.of(9) {
            0 => format!("({} + {})", self.whole(below), self.whole(0)),
            1 => format!("({} - {})", self.whole(below), self.whole(0)),
            2 => format!("({} * {})", self.whole(below), self.whole(0)),
            3 => format!("({} / {})", self.whole(below), self.whole(0)),
            4 => format!("({} % {})", self.whole(below), self.whole(0)),
            5 => format!("({} ? {} : {})", self.truth(below), self.whole(below), self.whole(below)),
            6 => format!("size({})", self.text(below)),
            7 => format!("(-({}))", self.whole(below)),
            _ if self.loops < 2 => {
                let name = format!("v{}", self.loops);
                self.loops += 1;
                self.bound.push(name.clone());
                let test = self.truth(below.min(1));
                self.bound.pop();
                self.loops -= 1;
                format!("customer.tags.filter({name}, {test}).size()")
            }
            _ => self.whole(0),
        }
    }

    fn decimal(&mut self, depth: usize) -> String {
        let plain = [
            "customer.attributes.size",
            "42.5",
            "0.1",
            "-0.5",
            "9007199254740992.0",
            "customer.attributes['size']",
        ];
        match self.numbers.of(if depth == 0 { 3 } else { 6 }) {
            0..=2 => self.numbers.pick(&plain).to_owned(),
            3 => format!("double({})", self.whole(depth - 1)),
            4 => format!("({} ? {} : {})", self.truth(depth - 1), self.decimal(0), self.decimal(depth - 1)),
            _ => format!("({} + 0.5)", self.decimal(0)),
        }
    }

    fn text(&mut self, depth: usize) -> String {
        if depth == 0 {
            let bound = self.bound.last().cloned();
            return match (self.numbers.of(10), bound) {
                (0..=2, Some(name)) => name,
                (3, Some(name)) => format!("customer.attributes[{name}]"),
                (0 | 1, None) => quoted(self.numbers.pick(&TEXTS)),
                (2, None) => "customer.display_name".to_owned(),
                (3, None) => "customer.email".to_owned(),
                (4, _) => "customer.attributes.note".to_owned(),
                (5, _) => "customer.attributes.joined".to_owned(),
                (6, _) => {
                    let keys = ["ключ", "a b", "q\"uote", "back\\slash", "$.x", "[0]", "nothing"];
                    format!("customer.attributes[{}]", quoted(self.numbers.pick(&keys)))
                }
                (7, _) => "customer.country".to_owned(),
                (8, _) => "relationship.stage".to_owned(),
                _ => quoted(self.numbers.pick(&TEXTS)),
            };
        }
        match self.numbers.of(6) {
            0 => format!("({} + {})", self.text(0), self.text(depth - 1)),
            1 => format!("string({})", self.whole(depth - 1)),
            2 => format!("string({})", self.truth(depth - 1)),
            3 => format!("({} ? {} : {})", self.truth(depth - 1), self.text(0), self.text(0)),
            _ => self.text(0),
        }
    }
}

/// One of each that is said in SQL, so that none is missing where chance leaves it out.
pub const EACH: &[&str] = &[
    "true",
    "customer.country == 'AT' && 'vip' in customer.tags && customer.age_days > 0",
    "customer.age_days >= -200 && customer.age_days < 20000 && customer.age_days <= 1",
    "customer.age_days + 0 >= 0",
    "customer.age_days > 9223372036854775807 || customer.age_days < -9223372036854775807",
    "customer.country in ['AT', 'CH'] || !(customer.locale in [])",
    "customer.attributes.size > 42 || customer.attributes.size == 0.1",
    "customer.attributes.size in [42, 7.0]",
    "customer.attributes.club ? customer.attributes.size > 1.0 : customer.country == 'DE'",
    "customer.attributes.joined >= '2031-02-01'",
    "'jazz' in customer.attributes.likes && size(customer.attributes.likes) > 1",
    "customer.attributes.note in customer.attributes.likes",
    "'' in customer.attributes.likes || 'jazz\\nrock' in customer.attributes.likes",
    "!has(customer.attributes.size) && !('nothing' in customer.attributes)",
    "customer.attributes.note in customer.attributes",
    "customer.birthday_month == now.month && customer.birthday_day == now.day",
    "(100 / customer.birthday_day) > 3 || 7 % customer.birthday_month == 0",
    "size(customer.display_name) == 5 || customer.display_name < 'b'",
    "customer.display_name.contains('%') || customer.display_name.startsWith('Gr') || customer.display_name.endsWith('e')",
    "customer.email.endsWith(customer.display_name) || customer.email.contains('')",
    "string(customer.birthday_day) + 'x' == '29x' || string(customer.attributes.club) == 'true'",
    "customer.tags.exists(t, t.startsWith('v')) || customer.tags.all(t, size(t) > 1)",
    "customer.tags.exists_one(t, t == 'vip') || customer.tags.filter(t, t != '').size() > 1",
    "customer.tags.exists(t, customer.country == 'AT') || customer.tags.all(t, customer.attributes.club)",
    "customer.tags.exists(a, customer.tags.exists(b, a != b && a.contains(b)))",
    "customer.attributes.exists(k, customer.attributes[k] == 'true')",
    "-customer.birthday_day < -28 || -customer.attributes.size > -10.0",
    "double(customer.birthday_day) > customer.attributes.size",
    "days_to_birthday <= 7 || days_to_birthday == 183",
    "!(days_to_birthday > 0)",
    "now.hour == 12 && now.minute == 0 && now.weekday == 3 && now.year == 2026",
    "(customer.country == 'AT') == ('vip' in customer.tags)",
    "orders(30).count >= 1 || orders(365).count == 0",
    "orders(365).amount('EUR') > 5000 || orders(100).amount('JPY') != 0",
    "relationship.amount('EUR') >= 10000 || relationship.amount('JPY') < 0",
    "relationship.stage in ['LOYAL', 'ACTIVE'] || relationship.stage == 'LAPSED' && relationship.frequency > 1",
    "relationship.recency_days < 30 || relationship.recency_days >= 1000000",
    "relationship.inactive_days <= 29 && relationship.inactive_days > 0",
    "last('VISIT') < 100 || last('ORDER') > 364 && last('REVIEW') == 1000000",
    "customer.phone != '' && customer.time_zone == '' && customer.id != 'c0'",
];

/// What stays in Rust, and why.
pub const KEPT: &[(&str, &str)] = &[
    ("customer.country == 'AT' || customer.email.matches('^[a-z]')", "patterns"),
    ("int(customer.attributes.note) > 3 && customer.country != 'XX'", "declare the attribute as a number"),
    ("customer.attributes.size + 0.5 > 3.0", "decimal numbers"),
    ("customer.age_days * 9223372036854775807 > 1", "largest whole number"),
    ("customer.tags == ['vip']", "list"),
    (
        "relationship.satisfaction > 50 && relationship.frequency > 0",
        "is not kept where it could be searched",
    ),
    ("consent('newsletter', 'EMAIL') == 'NONE' && last('VISIT') > 3", "`consent('newsletter', 'EMAIL')`"),
    ("customer.attributes.likes.exists(l, l == 'jazz')", "a loop over the texts of an attribute"),
];
