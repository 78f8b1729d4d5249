//! Sets at a price: as many as the units at hand can fill, the dearest units first, exactly.
//!
//! A set takes so many units of each of its parts. Where no line fits two parts, each part takes its own dearest units.
//! Where lines fit several, which of them a unit serves decides how many sets there are: units that can serve together are
//! the independent sets of a transversal matroid, so that taking them by falling price, moving those that are placed along
//! augmenting paths, ends with the dearest units of all (Edmonds and Fulkerson 1965). Runs are pushed as a whole, and lines
//! that fit the same parts share their flow.

use super::MissingUnits;
use super::scope::LineSet;
use super::units::{Chosen, Run, Value, largest, take, units_of};
use crate::discount::WHOLE_PPM;
use crate::work::Work;

/// Looks at what one class of lines gives to one part that one step stands for.
const LOOKS_PER_STEP: u64 = 4;
/// What a way to a part takes whatever it looks at.
const STEPS_PER_PATH: u64 = 10;
/// What the price of one run takes where sets are compared with their price.
const STEPS_PER_PRICE: u64 = 2;

/// Why there is no set at a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoSet {
    /// Units are missing: so many for the first set, by part.
    Incomplete(MissingUnits),
    /// No set costs more than the price.
    PriceNotLower,
}

/// Sets at a price, the dearest units first.
///
/// The value of a set falls from each to the next, so the sets worth more than the price come first; the others change
/// nothing. `Err` says whether at least one set was complete.
pub(super) fn sets(
    runs: Vec<Run>,
    parts: &[(LineSet, i64)],
    price: i64,
    max_sets: Option<i64>,
    work: &mut Work,
) -> Result<Chosen, NoSet> {
    let shelf = Shelf::new(runs, parts);
    let complete = shelf.complete(max_sets.unwrap_or(i64::MAX), work);
    if complete < 1 {
        return Err(NoSet::Incomplete(shelf.missing(work)));
    }
    let above = largest(complete, |set| shelf.is_above(set, price, work));
    if above < 1 {
        return Err(NoSet::PriceNotLower);
    }
    let units = shelf.fill(above, work);
    Ok(Chosen::new(units, WHOLE_PPM, i128::from(above) * i128::from(price)))
}

/// What sets are made of.
#[derive(Debug)]
enum Shelf {
    /// No line fits two parts.
    Apart(Vec<Part>),
    /// Some do.
    Shared(Shared),
}

impl Shelf {
    fn new(mut runs: Vec<Run>, parts: &[(LineSet, i64)]) -> Self {
        runs.sort_unstable_by(Run::dearest_first);
        let fits = |run: &Run| parts.iter().filter(|(lines, _)| lines.contains(run.line)).count();
        if runs.iter().any(|run| fits(run) > 1) {
            return Self::Shared(Shared::new(&runs, parts));
        }
        let of = |(lines, quantity): &(LineSet, i64)| {
            Part::new(runs.iter().filter(|run| lines.contains(run.line)).copied().collect(), *quantity)
        };
        Self::Apart(parts.iter().map(of).collect())
    }

    /// How many sets there are units for, at most `limit`.
    fn complete(&self, limit: i64, work: &mut Work) -> i64 {
        match self {
            Self::Apart(parts) => {
                let sets = parts.iter().map(|part| part.whole().0 / part.quantity).min();
                sets.unwrap_or(0).min(limit)
            }
            Self::Shared(shared) => {
                let least = shared.quantities.iter().sum::<i64>().max(1);
                let most = (shared.classes.iter().map(|class| class.units).sum::<i64>() / least).min(limit);
                largest(most, |sets| shared.admits(sets, work))
            }
        }
    }

    /// What the first set lacks.
    fn missing(&self, work: &mut Work) -> MissingUnits {
        match self {
            Self::Apart(parts) => MissingUnits::new(parts.iter().map(|part| part.quantity - part.whole().0)),
            Self::Shared(shared) => MissingUnits::new(shared.flow(1, work).open),
        }
    }

    /// The units of so many sets, which there are.
    fn fill(&self, sets: i64, work: &mut Work) -> Vec<(Run, i64)> {
        match self {
            Self::Apart(parts) => {
                parts.iter().flat_map(|part| take(&part.runs, sets * part.quantity)).collect()
            }
            Self::Shared(shared) => shared.fill(sets, work),
        }
    }

    /// Whether set number `set`, from 1, is worth more than `price`.
    fn is_above(&self, set: i64, price: i64, work: &mut Work) -> bool {
        let mut value = Value::of(-i128::from(price));
        match self {
            // Between its first unit and its last lie whole runs, so it has two fractions for each part at most,
            // whatever the number of runs.
            Self::Apart(parts) => {
                for part in parts {
                    let (to, cut) = part.first(set * part.quantity);
                    value.add(to, cut.as_ref());
                    let (from, cut) = part.first((set - 1) * part.quantity);
                    value.subtract(from, cut.as_ref());
                }
            }
            Self::Shared(shared) => {
                let (to, from) = (shared.fill(set, work), shared.fill(set - 1, work));
                work.spend(STEPS_PER_PRICE * (to.len() + from.len()) as u64);
                to.iter().for_each(|units| value.add(0, Some(units)));
                from.iter().for_each(|units| value.subtract(0, Some(units)));
            }
        }
        value.is_positive()
    }
}

/// One part of a set that shares its lines with no other.
#[derive(Debug)]
struct Part {
    /// The units that can fill it, dearest first; all units of each line.
    runs: Vec<Run>,
    /// Units per set.
    quantity: i64,
    /// Units and amount of the runs before each, and of all at the end.
    before: Vec<(i64, i64)>,
}

impl Part {
    /// `runs` are sorted.
    fn new(runs: Vec<Run>, quantity: i64) -> Self {
        let mut before = Vec::with_capacity(runs.len() + 1);
        let mut sum = (0, 0);
        before.push(sum);
        for run in &runs {
            sum = (sum.0 + run.units, sum.1 + run.amount);
            before.push(sum);
        }
        Self { runs, quantity: quantity.max(1), before }
    }

    /// Units and amount of all.
    fn whole(&self) -> (i64, i64) {
        self.before.last().copied().unwrap_or_default()
    }

    /// The first `units`: the amount of the runs that are whole among them, and what there is of one that is not.
    fn first(&self, units: i64) -> (i128, Option<(Run, i64)>) {
        let whole = self.before.partition_point(|(before, _)| *before <= units).saturating_sub(1);
        let (before, amount) = self.before.get(whole).copied().unwrap_or_default();
        let cut = self.runs.get(whole).filter(|_| units > before).map(|run| (*run, units - before));
        (amount.into(), cut)
    }
}

/// Parts that share lines.
#[derive(Debug)]
struct Shared {
    /// Dearest first, each with its class.
    runs: Vec<(Run, usize)>,
    classes: Vec<Class>,
    /// Units per set, by part.
    quantities: Vec<i64>,
}

/// Lines that fit the same parts.
#[derive(Debug)]
struct Class {
    /// One bit for each part.
    parts: u32,
    units: i64,
}

/// Which units serve which part.
#[derive(Debug)]
struct Flow {
    /// Units that each part still wants.
    open: Vec<i64>,
    /// The parts that want any, one bit each.
    room: u32,
    /// By class and part.
    given: Vec<Vec<i64>>,
    /// By part, the classes that give it any.
    givers: Vec<Vec<usize>>,
    /// Parts, one bit each, from which no way leads to a part with room, nor ever will: whatever serves them fits only such
    /// parts.
    closed: u32,
}

impl Shared {
    fn new(runs: &[Run], parts: &[(LineSet, i64)]) -> Self {
        let mut shared = Self {
            runs: Vec::new(),
            classes: Vec::new(),
            quantities: parts.iter().map(|part| part.1).collect(),
        };
        for run in runs {
            let fits = parts.iter().enumerate().filter(|(_, (lines, _))| lines.contains(run.line));
            let mask = fits.fold(0_u32, |mask, (part, _)| mask | 1 << part);
            if mask == 0 {
                continue;
            }
            let known = shared.classes.iter().position(|class| class.parts == mask);
            let class = known.unwrap_or_else(|| {
                shared.classes.push(Class { parts: mask, units: 0 });
                shared.classes.len() - 1
            });
            shared.classes[class].units += run.units;
            shared.runs.push((*run, class));
        }
        shared
    }

    fn empty(&self, sets: i64, work: &mut Work) -> Flow {
        let (parts, classes) = (self.quantities.len(), self.classes.len());
        work.spend((classes + classes * parts / 8) as u64);
        Flow {
            open: self.quantities.iter().map(|quantity| quantity * sets).collect(),
            room: self.quantities.iter().fold(0, |room, _| room << 1 | 1),
            given: vec![vec![0; parts]; classes],
            givers: vec![Vec::new(); parts],
            closed: 0,
        }
    }

    /// As much of so many sets as there is, whatever it costs.
    fn flow(&self, sets: i64, work: &mut Work) -> Flow {
        let mut flow = self.empty(sets, work);
        for (class, of) in self.classes.iter().enumerate() {
            flow.push(&self.classes, class, of.units, work);
        }
        flow
    }

    fn admits(&self, sets: i64, work: &mut Work) -> bool {
        self.flow(sets, work).open.iter().all(|open| *open == 0)
    }

    /// The dearest units that can make up so many sets.
    fn fill(&self, sets: i64, work: &mut Work) -> Vec<(Run, i64)> {
        let mut flow = self.empty(sets, work);
        let mut chosen = Vec::with_capacity(self.runs.len());
        for (run, class) in &self.runs {
            let placed = flow.push(&self.classes, *class, run.units, work);
            if placed > 0 {
                chosen.push((*run, placed));
            }
        }
        chosen
    }
}

impl Flow {
    /// Places up to `wanted` units of a class, moving others of which each keeps a place. Answers how many.
    fn push(&mut self, classes: &[Class], class: usize, wanted: i64, work: &mut Work) -> i64 {
        let mut left = wanted;
        while left > 0 && !work.is_over() {
            let Some(path) = self.path(classes, class, work) else { break };
            // From the part that has room back to the class: (the class whose unit moves, the part it comes to).
            let moved =
                path.iter().skip(1).zip(&path).map(|((_, from), (class, _))| self.given[*class][*from]);
            let units = moved.chain(path.first().map(|(_, part)| self.open[*part])).fold(left, i64::min);
            for (at, (class, to)) in path.iter().enumerate() {
                self.give(*class, *to, units);
                if let Some((_, from)) = path.get(at + 1) {
                    self.give(*class, *from, -units);
                }
            }
            if let Some((_, part)) = path.first() {
                self.open[*part] -= units;
                if self.open[*part] == 0 {
                    self.room &= !(1 << *part);
                }
            }
            left -= units;
        }
        wanted - left
    }

    fn give(&mut self, class: usize, part: usize, units: i64) {
        let given = &mut self.given[class][part];
        let before = *given;
        *given += units;
        match (before, *given) {
            (0, _) => self.givers[part].push(class),
            (_, 0) => self.givers[part].retain(|giver| *giver != class),
            _ => {}
        }
    }

    /// The shortest way from a class to a part with room, backwards. Where there is none, the parts it led to are closed.
    fn path(&mut self, classes: &[Class], from: usize, work: &mut Work) -> Option<Vec<(usize, usize)>> {
        let parts = self.open.len();
        let mut reached =
            Reached { parts: self.closed, by: vec![(from, None); parts], queue: Vec::with_capacity(parts) };
        let mut found = reached.visit(classes[from].parts, (from, None), self.room);
        let (mut at, mut looks) = (0, 0);
        while let (None, Some(part)) = (found, reached.queue.get(at).copied()) {
            at += 1;
            let mut visit = |class: &usize| {
                looks += 1;
                reached.visit(classes[*class].parts, (*class, Some(part)), self.room)
            };
            found = self.givers[part].iter().find_map(&mut visit);
        }
        work.spend(STEPS_PER_PATH + looks / LOOKS_PER_STEP);
        let Some(mut part) = found else {
            self.closed = reached.parts;
            return None;
        };
        let mut path = Vec::new();
        loop {
            let (class, before) = reached.by[part];
            path.push((class, part));
            match before {
                Some(before) => part = before,
                None => return Some(path),
            }
        }
    }
}

/// Where a search for room has been.
#[derive(Debug)]
struct Reached {
    /// One bit for each part, those that are closed included.
    parts: u32,
    /// Of each part that was reached: the class whose unit would come to it, and the part it would leave.
    by: Vec<(usize, Option<usize>)>,
    /// Parts from which to go on.
    queue: Vec<usize>,
}

impl Reached {
    /// Goes to the parts of a class; answers one that has room.
    fn visit(&mut self, parts: u32, by: (usize, Option<usize>), room: u32) -> Option<usize> {
        let new = parts & !self.parts;
        if new == 0 {
            return None;
        }
        self.parts |= new;
        for part in (0..self.by.len()).filter(|part| new & 1 << *part != 0) {
            self.by[part] = by;
            if room & 1 << part != 0 {
                return Some(part);
            }
            self.queue.push(part);
        }
        None
    }
}

/// Units that a buy-x-get-y lacks for one set: of what is bought, of what is given.
pub(super) fn missing_of_pair(
    buy: (i64, &[Run]),
    get: (i64, &[Run]),
    both: impl Fn(&Run) -> bool,
) -> MissingUnits {
    let given = take(get.1, get.0);
    let set_aside: i64 = given.filter(|(run, _)| both(run)).map(|(_, units)| units).sum();
    MissingUnits::new([buy.0 - (units_of(buy.1) - set_aside), get.0 - units_of(get.1)])
}
