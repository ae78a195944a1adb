//! Servers of other libraries under the load that ours gets: a table and a chart.

use std::fmt::Write as _;

use crate::{Measurement, NOISY, Number, Row, STYLE, Sample, escape};

/// Where a server's numbers are found, and how it is called.
struct Server {
    implementation: &'static str,
    label: &'static str,
    /// Runs in the engine: its numbers are those of the scenarios `flood` and `turns`, whose loads are the same.
    is_in_engine: bool,
}

const SERVERS: [Server; 6] = [
    Server { implementation: "rust", label: "this addon without an engine", is_in_engine: false },
    Server { implementation: "fastwebsockets", label: "fastwebsockets", is_in_engine: false },
    Server { implementation: "tokio-tungstenite", label: "tokio-tungstenite", is_in_engine: false },
    Server { implementation: "ws", label: "Node's ws", is_in_engine: false },
    Server { implementation: "rust", label: "this addon in Godot", is_in_engine: true },
    Server { implementation: "builtin", label: "Godot's built-in", is_in_engine: true },
];

struct Load {
    metric: &'static str,
    /// The scenario and metric that put this load on a server in the engine.
    in_engine: Option<(&'static str, &'static str)>,
    unit: &'static str,
    label: &'static str,
}

const LOADS: [Load; 6] = [
    Load {
        metric: "messages_per_s",
        in_engine: Some(("flood", "messages_per_s")),
        unit: "messages/s",
        label: "64 B, 100 clients, 8 under way each",
    },
    Load {
        metric: "messages_per_s_1kib",
        in_engine: None,
        unit: "messages/s",
        label: "1 KiB, 100 clients, 8 under way each",
    },
    Load {
        metric: "messages_per_s_turns",
        in_engine: Some(("turns", "messages_per_s")),
        unit: "messages/s",
        label: "64 B, 100 clients, 1 under way each",
    },
    Load {
        metric: "messages_per_s_one",
        in_engine: None,
        unit: "messages/s",
        label: "64 B, 1 client, 256 under way",
    },
    Load {
        metric: "cpu_us",
        in_engine: None,
        unit: "µs",
        label: "processor time a message: 100 clients, 8 under way each",
    },
    Load {
        metric: "cpu_us_turns",
        in_engine: None,
        unit: "µs",
        label: "processor time a message: 100 clients, 1 under way each",
    },
];

fn sample(measurements: &[Measurement], load: &Load, server: &Server) -> Option<Sample> {
    let (scenario, metric) = if server.is_in_engine { load.in_engine? } else { ("servers", load.metric) };
    Sample::of(measurements, &Row::named(scenario, metric), server.implementation)
}

/// The table, if there are measurements of the scenario `servers`.
pub(crate) fn markdown(measurements: &[Measurement], title: &str) -> Option<String> {
    measurements.iter().find(|measurement| measurement.scenario == "servers")?;
    let mut text = format!("{title}\n\nMedians (least to most).\n\n| server |");
    for Load { label, unit, .. } in &LOADS {
        _ = write!(text, " {label}: {unit} |");
    }
    _ = write!(text, "\n| --- |{}\n", " --- |".repeat(LOADS.len()));
    for server in &SERVERS {
        let samples: Vec<Option<Sample>> =
            LOADS.iter().map(|load| sample(measurements, load, server)).collect();
        if samples.iter().all(Option::is_none) {
            continue;
        }
        _ = write!(text, "| {} |", server.label);
        for sample in &samples {
            match sample {
                Some(sample) => _ = write!(text, " {} |", cell(sample)),
                None => text.push_str(" - |"),
            }
        }
        text.push('\n');
    }
    Some(text)
}

fn cell(sample: &Sample) -> String {
    let noisy = if sample.spread() > NOISY { ", noisy" } else { "" };
    format!("{} ({} to {}{noisy})", Number(sample.median()), Number(sample.least()), Number(sample.most()))
}

/// The two loads that every server got, as bars.
pub(crate) fn bars(measurements: &[Measurement], title: &str) -> Option<String> {
    measurements.iter().find(|measurement| measurement.scenario == "servers")?;
    let (width, height) = (900.0, 84.0 + 26.0 * SERVERS.len() as f64);
    let mut svg = String::new();
    _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\">{STYLE}<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\
         <text class=\"title\" x=\"20\" y=\"28\">Echo servers, messages of 64 B from 100 clients</text>\
         <text class=\"note\" x=\"20\" y=\"47\">{}</text>",
        escape(title)
    );
    for (index, server) in SERVERS.iter().enumerate() {
        let y = 84.0 + 26.0 * index as f64;
        _ = write!(
            svg,
            "<text class=\"label\" text-anchor=\"end\" x=\"220\" y=\"{}\">{}</text>",
            y + 12.0,
            escape(server.label)
        );
    }
    panel(&mut svg, measurements, &LOADS[0], 232.0, "8 under way each: messages/s");
    panel(&mut svg, measurements, &LOADS[2], 572.0, "1 under way each: messages/s");
    svg.push_str("</svg>\n");
    Some(svg)
}

fn panel(svg: &mut String, measurements: &[Measurement], load: &Load, left: f64, label: &str) {
    const WIDTH: f64 = 240.0;
    let medians =
        SERVERS.each_ref().map(|server| sample(measurements, load, server).map(|sample| sample.median()));
    let most = medians.iter().flatten().copied().fold(1.0, f64::max);
    _ = write!(svg, "<text class=\"note\" x=\"{left}\" y=\"74\">{label}</text>");
    for (index, (server, median)) in SERVERS.iter().zip(medians).enumerate() {
        let Some(median) = median else { continue };
        let (y, length) = (84.0 + 26.0 * index as f64, median / most * WIDTH);
        let class = if server.label.starts_with("this addon") { "bar" } else { "worse" };
        _ = write!(
            svg,
            "<rect class=\"{class}\" x=\"{left}\" y=\"{y}\" width=\"{length:.1}\" height=\"15\" rx=\"2\"/>\
             <text class=\"value\" x=\"{:.1}\" y=\"{}\">{}</text>",
            left + length + 6.0,
            y + 12.0,
            Number(median)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_measurements;

    #[test]
    fn servers_in_and_without_an_engine_share_a_table_and_a_chart() {
        let lines = "servers\trust\t1\t0\tmessages_per_s\t800000\nservers\tws\t1\t0\tmessages_per_s\t90000\n\
                     turns\trust\t1\t0\tmessages_per_s\t120000\n";
        let measurements = read_measurements(lines).unwrap();
        let table = markdown(&measurements, "title").unwrap();
        assert!(table.contains("| this addon without an engine | 800 000 (800 000 to 800 000) |"), "{table}");
        assert!(table.contains("| this addon in Godot | - | - | 120 000 (120 000 to 120 000) |"), "{table}");
        assert!(!table.contains("fastwebsockets"), "{table}");
        let chart = bars(&measurements, "title").unwrap();
        assert!(chart.contains("800 000") && chart.contains("120 000"), "{chart}");
        assert!(markdown(&[], "title").is_none() && bars(&[], "title").is_none());
    }
}
