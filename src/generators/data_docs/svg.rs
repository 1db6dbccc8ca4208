//! Small pictures, as text: bars, lines and dots whose colours can be seen on light and dark pages.

use std::fmt::Write;

use crate::generators::random::ln;

pub const COLOURS: [&str; 12] =
    ["#3b82c4", "#d9822b", "#3c9d5f", "#c8504f", "#8a6bbf", "#9a6b4f", "#d36ba6", "#7d8590", "#a8a032", "#2ea3a8", "#5f6fd0", "#b58900"];
pub const GREY: &str = "#8a8f98";

pub struct Svg {
    width: f64,
    height: f64,
    body: String,
}

/// Where a text stands to its point.
#[derive(Clone, Copy)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    pub fn new(width: f64, height: f64) -> Svg {
        Svg { width, height, body: String::new() }
    }

    pub fn text(&mut self, x: f64, y: f64, anchor: Anchor, colour: &str, text: &str) {
        let anchor = ["start", "middle", "end"][anchor as usize];
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        writeln!(self.body, "<text x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{text}</text>", tenth(x), tenth(y))
            .unwrap();
    }

    pub fn bar(&mut self, x: f64, y: f64, width: f64, height: f64, colour: &str) {
        let [x, y, width, height] = [x, y, width, height].map(tenth);
        writeln!(self.body, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{colour}\"/>").unwrap();
    }

    pub fn line(&mut self, points: impl IntoIterator<Item = (f64, f64)>, colour: &str, width: f64) {
        let path: Vec<String> = points.into_iter().map(|(x, y)| format!("{} {}", tenth(x), tenth(y))).collect();
        writeln!(self.body, "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"/>", path.join("L")).unwrap();
    }

    pub fn dots(&mut self, points: impl IntoIterator<Item = (f64, f64)>, colour: &str, width: f64) {
        let path: String = points.into_iter().map(|(x, y)| format!("M{} {}h0", tenth(x), tenth(y))).collect();
        let stroke = format!("stroke=\"{colour}\" stroke-width=\"{width}\" stroke-linecap=\"round\"");
        writeln!(self.body, "<path d=\"{path}\" fill=\"none\" {stroke}/>").unwrap();
    }

    pub fn done(self) -> String {
        let (width, height) = (tenth(self.width), tenth(self.height));
        let head = "<svg xmlns=\"http://www.w3.org/2000/svg\" font-family=\"sans-serif\" font-size=\"9\"";
        format!("{head} width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n{}</svg>\n", self.body)
    }
}

/// One decimal is enough for a picture, and keeps it the same everywhere.
fn tenth(x: f64) -> String {
    let text = format!("{:.1}", x + 0.0);
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

/// A rectangle with axes inside a picture.
pub struct Panel {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
    pub x: Axis,
    pub y: Axis,
}

#[derive(Clone, Copy)]
pub struct Axis {
    pub from: f64,
    pub to: f64,
    pub log: bool,
}

impl Axis {
    pub fn new(from: f64, to: f64) -> Axis {
        Axis { from, to, log: false }
    }

    pub fn log(from: f64, to: f64) -> Axis {
        Axis { from, to, log: true }
    }

    fn share(&self, value: f64) -> f64 {
        let place = |value: f64| if self.log { ln(value.max(1e-9)) } else { value };
        ((place(value) - place(self.from)) / (place(self.to) - place(self.from))).clamp(0.0, 1.0)
    }

    fn ticks(&self) -> Vec<f64> {
        if self.log {
            let decades = (0..16).map(|power| (0..power).fold(1.0, |value, _| value * 10.0));
            return decades.filter(|value| (self.from..=self.to).contains(value)).collect();
        }
        let span = self.to - self.from;
        let steps = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];
        let step = steps.into_iter().find(|step| span / step <= 6.0).unwrap_or(span);
        let first = (self.from / step).ceil() as i64;
        (first..).map(|n| n as f64 * step).take_while(|value| *value <= self.to).collect()
    }
}

impl Panel {
    pub fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.left + self.width * self.x.share(x), self.top + self.height * (1.0 - self.y.share(y)))
    }

    pub fn draw(&self, svg: &mut Svg, title: &str, below: &str) {
        for tick in self.y.ticks() {
            let (_, y) = self.at(self.x.from, tick);
            svg.line([(self.left, y), (self.left + self.width, y)], "#8a8f9855", 0.5);
            svg.text(self.left - 4.0, y + 3.0, Anchor::End, GREY, &short(tick));
        }
        let floor = self.top + self.height;
        for tick in self.x.ticks() {
            let (x, _) = self.at(tick, self.y.from);
            svg.line([(x, floor), (x, floor + 3.0)], GREY, 0.5);
            svg.text(x, floor + 12.0, Anchor::Middle, GREY, &short(tick));
        }
        svg.text(self.left, self.top - 6.0, Anchor::Start, GREY, title);
        svg.text(self.left + self.width, floor + 22.0, Anchor::End, GREY, below);
    }

    /// A line of values at x = 0, 1, 2 and so on.
    pub fn curve(&self, svg: &mut Svg, values: &[f64], colour: &str, width: f64) {
        svg.line(values.iter().enumerate().map(|(x, &y)| self.at(x as f64 + 0.5, y)), colour, width);
    }
}

/// Names beside a panel, each in its colour.
pub fn legend<'n>(svg: &mut Svg, x: f64, y: f64, names: impl IntoIterator<Item = (&'n str, &'n str)>) {
    for (row, (name, colour)) in names.into_iter().enumerate() {
        let y = y + 12.0 * row as f64;
        svg.bar(x, y - 6.0, 8.0, 6.0, colour);
        svg.text(x + 12.0, y, Anchor::Start, GREY, name);
    }
}

/// `1.5`, `240`, `12k`, `3M`
pub fn short(value: f64) -> String {
    let (scaled, letter) = match value.abs() {
        size if size >= 1e6 => (value / 1e6, "M"),
        size if size >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let decimals = if scaled.abs() < 10.0 { 2 } else { usize::from(scaled.abs() < 100.0) };
    let text = format!("{scaled:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{letter}")
}

/// How often each stretch of an axis is met, with the first, middle and last hundredth named.
pub fn histogram(values: &[f64], log: bool) -> String {
    const BINS: usize = 32;
    const WIDTH: f64 = 160.0;
    let quantile = |share: f64| values[((values.len() - 1) as f64 * share) as usize];
    let (low, high) = (quantile(0.001), quantile(0.999).max(quantile(0.001) + 1e-6));
    let axis = Axis { from: low, to: high, log };
    let mut counts = [0.0_f64; BINS];
    let within = values.iter().filter(|value| (low..=high).contains(value));
    within.for_each(|&value| counts[((axis.share(value) * BINS as f64) as usize).min(BINS - 1)] += 1.0);
    let most = counts.iter().copied().fold(1.0, f64::max);
    let mut svg = Svg::new(WIDTH + 20.0, 50.0);
    for (bin, count) in counts.iter().enumerate() {
        let height = 36.0 * count / most;
        let step = WIDTH / BINS as f64;
        svg.bar(10.0 + bin as f64 * step, 38.0 - height, step - 0.5, height, COLOURS[0]);
    }
    let middle = quantile(0.5);
    for (value, anchor, x) in
        [(low, Anchor::Start, 0.0), (middle, Anchor::Middle, 10.0 + WIDTH * axis.share(middle)), (high, Anchor::End, WIDTH + 20.0)]
    {
        let crowded = x > 0.0 && x < WIDTH && !(45.0..WIDTH - 25.0).contains(&x);
        if !crowded {
            svg.text(x, 48.0, anchor, GREY, &short(value));
        }
    }
    svg.done()
}

/// The most frequent names with their shares, then how many more there are.
pub fn bars(counts: &[(String, f64)]) -> String {
    const ROWS: usize = 8;
    let total: f64 = counts.iter().map(|(_, count)| count).sum();
    let shown = if counts.len() > ROWS { &counts[..ROWS - 1] } else { counts };
    let mut rows: Vec<(String, f64)> = shown.iter().map(|(name, count)| (name.clone(), count / total)).collect();
    if counts.len() > shown.len() {
        let rest = counts[shown.len()..].iter().map(|(_, count)| count / total).sum();
        rows.push((format!("{} more", counts.len() - shown.len()), rest));
    }
    let most = rows.iter().map(|(_, share)| *share).fold(0.0, f64::max);
    let mut svg = Svg::new(180.0, 11.0 * rows.len() as f64 + 2.0);
    for (row, (name, share)) in rows.iter().enumerate() {
        let y = 11.0 * row as f64;
        svg.text(78.0, y + 9.0, Anchor::End, GREY, name);
        svg.bar(82.0, y + 2.0, 64.0 * share / most, 8.0, if row < shown.len() { COLOURS[0] } else { GREY });
        svg.text(86.0 + 64.0 * share / most, y + 9.0, Anchor::Start, GREY, &format!("{} %", short((share * 1000.0).round() / 10.0)));
    }
    svg.done()
}

/// Shares of the most frequent of many, by rank.
pub fn ranks(counts: &[(String, f64)]) -> String {
    const BARS: usize = 53;
    let total: f64 = counts.iter().map(|(_, count)| count).sum();
    let most = counts[0].1;
    let mut svg = Svg::new(180.0, 50.0);
    for (rank, (_, count)) in counts.iter().take(BARS).enumerate() {
        let height = 36.0 * count / most;
        svg.bar(10.0 + 3.0 * rank as f64, 38.0 - height, 2.5, height, COLOURS[0]);
    }
    let first = (most / total * 1000.0).round() / 10.0;
    svg.text(10.0, 48.0, Anchor::Start, GREY, &format!("first {} %, then by rank; {} in all", short(first), counts.len()));
    svg.done()
}
