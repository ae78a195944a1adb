//! Makes the benchmark's table, chart and JSON of what its runs printed.
//!
//! `report SCENARIOS MEASUREMENTS FOLDER [TITLE [PUBLISHED]]`. SCENARIOS has one line per row of the table:
//! `scenario metric unit better(less|more) label`, separated by tabs; MEASUREMENTS one line per number:
//! `scenario impl round clients metric value`. Writes `results.json`, `results.md`, `results.svg` into FOLDER; if there are
//! measurements of the scenario `scale`, `scale.svg` too; of `fresh`, `fresh.svg`; of `servers`, `servers.md` and `servers.svg`.
//! PUBLISHED is an earlier `results.json`: what it has of scenarios that were not measured now stays, under its own title.
#![forbid(unsafe_code)]

mod fresh;
mod published;
mod servers;

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fmt::{self, Write as _},
    fs, io,
    path::Path,
};

use published::Runs;

/// Runs that differ by more than this share of their median are marked.
const NOISY: f64 = 0.25;

/// A row of the table.
struct Row {
    scenario: String,
    metric: String,
    unit: String,
    more_is_better: bool,
    label: String,
}

impl Row {
    /// A row for looking up what was measured; not for the table.
    fn named(scenario: &str, metric: &str) -> Self {
        let [unit, label] = [String::new(), String::new()];
        Self { scenario: scenario.to_owned(), metric: metric.to_owned(), unit, more_is_better: true, label }
    }
}

struct Measurement {
    scenario: String,
    implementation: String,
    round: u32,
    clients: u64,
    metric: String,
    value: f64,
}

/// The runs of one row and implementation.
struct Sample(Vec<f64>);

impl Sample {
    fn of(measurements: &[Measurement], row: &Row, implementation: &str) -> Option<Self> {
        let mut values: Vec<f64> = measurements
            .iter()
            .filter(|m| m.scenario == row.scenario && m.metric == row.metric)
            .filter(|m| m.implementation == implementation && m.clients == 0)
            .map(|m| m.value)
            .collect();
        values.sort_by(f64::total_cmp);
        (!values.is_empty()).then_some(Self(values))
    }

    fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        if self.0.len() % 2 == 1 { self.0[middle] } else { f64::midpoint(self.0[middle - 1], self.0[middle]) }
    }

    fn least(&self) -> f64 {
        self.0[0]
    }

    fn most(&self) -> f64 {
        self.0[self.0.len() - 1]
    }

    /// Between the least and the most, as a share of the median.
    fn spread(&self) -> f64 {
        if self.median() == 0.0 { 0.0 } else { (self.most() - self.least()) / self.median().abs() }
    }
}

/// How many times better ours is than the built-in.
fn ratio(row: &Row, builtin: &Sample, ours: &Sample) -> f64 {
    let (builtin, ours) = (builtin.median(), ours.median());
    let ratio = if row.more_is_better { ours / builtin } else { builtin / ours };
    if ratio.is_finite() { ratio } else { 0.0 }
}

/// Three digits are all that these numbers are worth.
struct Number(f64);

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value) = *self;
        let digits = match value.abs() {
            size if size >= 100.0 => 0,
            size if size >= 10.0 => 1,
            size if size >= 1.0 => 2,
            _ => 3,
        };
        let text = format!("{value:.digits$}");
        let (whole, rest) = text.split_once('.').map_or((text.as_str(), ""), |(whole, rest)| (whole, rest));
        for (index, character) in whole.char_indices() {
            if index > 0 && (whole.len() - index).is_multiple_of(3) && character.is_ascii_digit() {
                formatter.write_str(" ")?;
            }
            formatter.write_char(character)?;
        }
        if rest.is_empty() { Ok(()) } else { write!(formatter, ".{rest}") }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [scenarios, measurements, folder, rest @ ..] = arguments.as_slice() else {
        return Err("usage: report SCENARIOS MEASUREMENTS FOLDER [TITLE]".into());
    };
    let title = rest.first().map_or("", String::as_str);
    let rows = read_rows(&fs::read_to_string(scenarios)?)?;
    let mut measurements = read_measurements(&fs::read_to_string(measurements)?)?;
    let mut runs = Runs::new(title, &measurements);
    if let Some(published) = rest.get(1) {
        let published = fs::read_to_string(published)?;
        let is_known =
            |scenario: &str| UNLISTED.contains(&scenario) || rows.iter().any(|row| row.scenario == scenario);
        runs.keep(&published, &mut measurements, is_known)?;
    }
    write_files(Path::new(folder), &rows, &measurements, &runs)?;
    Ok(())
}

/// Scenarios without a row in the table.
const UNLISTED: [&str; 2] = ["scale", "servers"];

fn write_files(folder: &Path, rows: &[Row], measurements: &[Measurement], runs: &Runs) -> io::Result<()> {
    fs::write(folder.join("results.json"), json(measurements, runs))?;
    fs::write(folder.join("results.md"), markdown(rows, measurements, runs))?;
    fs::write(folder.join("results.svg"), bars(rows, measurements, &runs.main()))?;
    if let Some(chart) = fresh::lines(measurements, runs.of("fresh")) {
        fs::write(folder.join("fresh.svg"), chart)?;
    }
    if let Some(chart) = growth(measurements, runs.of("scale")) {
        fs::write(folder.join("scale.svg"), chart)?;
    }
    let title = runs.of("servers");
    if let Some((table, chart)) =
        servers::markdown(measurements, title).zip(servers::bars(measurements, title))
    {
        fs::write(folder.join("servers.md"), table)?;
        fs::write(folder.join("servers.svg"), chart)?;
    }
    Ok(())
}

fn read_rows(text: &str) -> Result<Vec<Row>, String> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            let [scenario, metric, unit, better, label] = fields[..] else {
                return Err(format!("not five fields: {line}"));
            };
            let more_is_better = better == "more";
            let [scenario, metric, unit, label] = [scenario, metric, unit, label].map(str::to_owned);
            Ok(Row { scenario, metric, unit, more_is_better, label })
        })
        .collect()
}

fn read_measurements(text: &str) -> Result<Vec<Measurement>, Box<dyn Error>> {
    text.lines()
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            let [scenario, implementation, round, clients, metric, value] = fields[..] else {
                return Err(format!("not six fields: {line}").into());
            };
            Ok(Measurement {
                scenario: scenario.to_owned(),
                implementation: implementation.to_owned(),
                round: round.parse()?,
                clients: clients.parse()?,
                metric: metric.to_owned(),
                value: value.parse()?,
            })
        })
        .collect()
}

fn json(measurements: &[Measurement], runs: &Runs) -> String {
    // Names are plain words; titles are the only free text.
    let lines: Vec<String> = measurements
        .iter()
        .map(|m| {
            format!(
                "    {{\"scenario\": \"{}\", \"implementation\": \"{}\", \"round\": {}, \"clients\": {}, \
                 \"metric\": \"{}\", \"value\": {}}}",
                m.scenario, m.implementation, m.round, m.clients, m.metric, m.value
            )
        })
        .collect();
    format!("{{\n{}  \"measurements\": [\n{}\n  ]\n}}\n", runs.json(), lines.join(",\n"))
}

fn markdown(rows: &[Row], measurements: &[Measurement], runs: &Runs) -> String {
    let mut text = String::new();
    let mut line = |content: String| {
        text.push_str(&content);
        text.push('\n');
    };
    line(format!("{}\n", runs.main()));
    line("| scenario | unit | built-in: median (least to most) | this addon: median (least to most) | times better | |".to_owned());
    line("| --- | --- | --- | --- | --- | --- |".to_owned());
    for row in rows {
        let builtin = Sample::of(measurements, row, "builtin");
        let ours = Sample::of(measurements, row, "rust");
        if builtin.is_none() && ours.is_none() {
            continue;
        }
        let cell = |sample: &Option<Sample>| {
            sample.as_ref().map_or("-".to_owned(), |sample| {
                format!(
                    "{} ({} to {})",
                    Number(sample.median()),
                    Number(sample.least()),
                    Number(sample.most())
                )
            })
        };
        let times = builtin.as_ref().zip(ours.as_ref()).map(|(builtin, ours)| ratio(row, builtin, ours));
        let is_noisy = [&builtin, &ours].into_iter().flatten().any(|sample| sample.spread() > NOISY);
        line(format!(
            "| {} | {} | {} | {} | {} | {} |",
            row.label,
            row.unit,
            cell(&builtin),
            cell(&ours),
            times.map_or("-".to_owned(), |times| format!("**{}**", Number(times))),
            if is_noisy { "noisy" } else { "" }
        ));
    }
    for (title, scenarios) in runs.others() {
        text.push_str(&format!("\nMeasured at another time: {} ({title})\n", scenarios.join(", ")));
    }
    text
}

/// Escapes text for SVG.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

const STYLE: &str = "<style>\
text{font-family:system-ui,-apple-system,'Segoe UI',sans-serif;fill:#24292f}\
.title{font-size:17px;font-weight:600}.note{font-size:11px;fill:#6e7781}\
.label{font-size:13px}.value{font-size:12px;font-weight:600}\
.bar{fill:#d9642c}.worse{fill:#8c959f}.grid{stroke:#d0d7de;stroke-width:1}.one{stroke:#57606a;stroke-width:1.5}\
.line{fill:none;stroke-width:2.5}\
.paper{fill:#fff}\
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.note{fill:#8b949e}.paper{fill:#0d1117}\
.grid{stroke:#30363d}.one{stroke:#8b949e}}\
</style>";

/// How many times better than the built-in, on a logarithmic scale.
fn bars(rows: &[Row], measurements: &[Measurement], title: &str) -> String {
    let compared: Vec<(&Row, f64)> = rows
        .iter()
        .filter_map(|row| {
            let builtin = Sample::of(measurements, row, "builtin")?;
            let ours = Sample::of(measurements, row, "rust")?;
            Some((row, ratio(row, &builtin, &ours)))
        })
        .collect();
    let (left, right, step, top) = (350.0, 70.0, 26.0, 78.0);
    let (width, plot) = (900.0, 900.0 - left - right);
    let height = top + step * compared.len() as f64 + 26.0;
    // From half as good to as far as it goes.
    let lowest = compared.iter().map(|(_, times)| times.max(0.1)).fold(0.5, f64::min).log10();
    let highest = compared.iter().map(|(_, times)| *times).fold(10.0, f64::max).log10() + 0.05;
    let x = |times: f64| left + (times.max(0.1).log10() - lowest) / (highest - lowest) * plot;
    let mut svg = String::new();
    _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\">{STYLE}<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\
         <text class=\"title\" x=\"20\" y=\"28\">Times better than the built-in classes</text>\
         <text class=\"note\" x=\"20\" y=\"47\">{}</text>",
        escape(title)
    );
    for times in [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0, 300.0, 1000.0] {
        if (lowest..=highest).contains(&f64::log10(times)) {
            let class = if times == 1.0 { "one" } else { "grid" };
            let at = x(times);
            let bottom = height - 22.0;
            _ = write!(
                svg,
                "<line class=\"{class}\" x1=\"{at:.1}\" y1=\"{}\" x2=\"{at:.1}\" y2=\"{bottom}\"/>\
                 <text class=\"note\" text-anchor=\"middle\" x=\"{at:.1}\" y=\"{}\">{times}×</text>",
                top - 8.0,
                height - 8.0
            );
        }
    }
    for (index, (row, times)) in compared.iter().enumerate() {
        let y = top + step * index as f64;
        let (from, to) = (x(1.0).min(x(*times)), x(1.0).max(x(*times)));
        let class = if *times < 1.0 { "worse" } else { "bar" };
        _ = write!(
            svg,
            "<text class=\"label\" text-anchor=\"end\" x=\"{}\" y=\"{}\">{}</text>\
             <rect class=\"{class}\" x=\"{from:.1}\" y=\"{y}\" width=\"{:.1}\" height=\"15\" rx=\"2\"/>\
             <text class=\"value\" x=\"{:.1}\" y=\"{}\">{}×</text>",
            left - 12.0,
            y + 12.0,
            escape(&row.label),
            (to - from).max(1.0),
            to + 6.0,
            y + 12.0,
            Number(*times)
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// What grows with the number of clients: for each metric a curve, as a share of its largest value.
fn growth(measurements: &[Measurement], title: &str) -> Option<String> {
    const CURVES: [(&str, &str, &str); 5] = [
        ("connect_seconds", "s until all are in", "#0969da"),
        ("kib_per_connection", "KiB per connection", "#1a7f37"),
        ("echo_us_per_message", "µs per echoed message", "#d9642c"),
        ("idle_frame_us", "µs per idle frame", "#8250df"),
        ("broadcast_us", "µs per broadcast to all", "#bf3989"),
    ];
    let (width, height, gap) = (900.0, 300.0, 178.0);
    let mut svg = String::new();
    _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\">{STYLE}<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\
         <text class=\"title\" x=\"20\" y=\"28\">One server with more and more clients (µs: of the main thread)</text>\
         <text class=\"note\" x=\"20\" y=\"47\">{}</text>",
        escape(title)
    );
    for (place, (metric, label, color)) in CURVES.iter().enumerate() {
        let mut by_clients: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for m in measurements {
            if m.scenario == "scale" && m.metric == *metric && m.clients > 0 {
                by_clients.entry(m.clients).or_default().push(m.value);
            }
        }
        let points: Vec<(f64, f64)> = by_clients
            .into_iter()
            .map(|(clients, mut values)| {
                values.sort_by(f64::total_cmp);
                (clients as f64, Sample(values).median())
            })
            .collect();
        let (most, highest) =
            points.iter().fold((0.0, 0.0), |(x, y), point| (f64::max(x, point.0), f64::max(y, point.1)));
        if most == 0.0 {
            return None;
        }
        panel(&mut svg, 20.0 + gap * place as f64, &points, (most, highest.max(1e-9)), label, color);
    }
    svg.push_str("</svg>\n");
    Some(svg)
}

fn panel(svg: &mut String, left: f64, points: &[(f64, f64)], scale: (f64, f64), label: &str, color: &str) {
    let (top, bottom, width) = (100.0, 260.0, 128.0);
    let fewest = points.first().map_or(1.0, |point| point.0);
    let decades = (scale.0 / fewest).log10().max(1e-9);
    // Logarithmic, as the numbers of clients are chosen.
    let x = |clients: f64| left + 14.0 + (clients / fewest).log10() / decades * (width - 28.0);
    let y = |value: f64| bottom - value / (scale.1 * 1.25) * (bottom - top);
    _ = write!(
        svg,
        "<text class=\"note\" x=\"{left}\" y=\"80\">{}</text>\
         <line class=\"one\" x1=\"{left}\" y1=\"{bottom}\" x2=\"{}\" y2=\"{bottom}\"/>",
        escape(label),
        left + width
    );
    let path: Vec<String> =
        points.iter().map(|point| format!("{:.1},{:.1}", x(point.0), y(point.1))).collect();
    _ = write!(svg, "<polyline class=\"line\" stroke=\"{color}\" points=\"{}\"/>", path.join(" "));
    for (clients, value) in points {
        _ = write!(
            svg,
            "<circle cx=\"{0:.1}\" cy=\"{1:.1}\" r=\"4\" fill=\"{color}\"/>\
             <text class=\"value\" text-anchor=\"middle\" x=\"{0:.1}\" y=\"{2:.1}\">{3}</text>\
             <text class=\"note\" text-anchor=\"middle\" x=\"{0:.1}\" y=\"{4}\">{5}</text>",
            x(*clients),
            y(*value),
            y(*value) - 9.0,
            Number(*value),
            bottom + 16.0,
            Number(*clients)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let text = |value| Number(value).to_string();
        assert_eq!(
            [text(0.1234), text(1.0), text(45.67), text(1234.5), text(1_234_567.0), text(-0.5)],
            ["0.123", "1.00", "45.7", "1 234", "1 234 567", "-0.500"]
        );
    }

    #[test]
    fn a_table_and_a_chart() {
        let rows = read_rows("# comment\nflood\tmps\tmessages/s\tmore\tflood & more\n").unwrap();
        let lines = "flood\tbuiltin\t1\t0\tmps\t10\nflood\trust\t1\t0\tmps\t40\nflood\trust\t2\t0\tmps\t60\n";
        let measurements = read_measurements(lines).unwrap();
        let runs = Runs::new("a \"b\"", &measurements);
        let table = markdown(&rows, &measurements, &runs);
        assert!(
            table.contains("| 10.0 (10.0 to 10.0) | 50.0 (40.0 to 60.0) | **5.00** | noisy |"),
            "{table}"
        );
        let chart = bars(&rows, &measurements, "title");
        assert!(chart.contains("flood &amp; more") && chart.contains("5.00×"));
        assert!(growth(&measurements, "title").is_none());
        assert!(json(&measurements, &runs).contains("\\\"b\\\""));
    }
}
