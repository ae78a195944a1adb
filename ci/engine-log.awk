# Reads the log of one run of the engine suite and prints one FAIL line for each thing that a passing run does not show.
#
#   awk -v run=rust -v impl=rust -v other=rust -v exit_code=0 -f ci/engine-log.awk run.log
#
# A case announces an error line with "EXPECT ERROR part" (must come, once) or "ALLOW ERROR part" (may come). That is
# checked strictly where both classes are ours; the built-in prints its own errors, each time, from .cpp files.
# Warnings of failed attempts to connect are counted where a case announces them: "EXPECT WARNING text" (exactly one with that
# text), "EXPECT NO WARNING".

function fail(text) { print "FAIL " run ": " (current == "" ? "" : current ": ") text }

# Judges the error line that was read last; `origin` is the line that says where it came from.
function judge(origin,   i, wanted) {
  if (pending == "") return
  message = pending
  pending = ""
  if (message ~ /\[panic/) { fail("a panic: " message); return }
  if (impl == "builtin" && other == "builtin") return
  if (impl != other && origin ~ /\.cpp:/) return
  for (wanted = 1; wanted >= 0; wanted--) {
    for (i = 1; i <= announced; i++) {
      if (!taken[i] && must[i] == wanted && tolower(message) ~ tolower(part[i])) { taken[i] = 1; return }
    }
  }
  if (impl == other || origin !~ /\.cpp:/) fail("an error that the case did not announce: " message)
}

# A script's error is announced in full: "EXPECT ERROR SCRIPT ERROR: part".
function judge_script_error(message,   i) {
  for (i = 1; i <= announced; i++) {
    if (!taken[i] && part[i] ~ /^SCRIPT ERROR: / && index(message, part[i])) { taken[i] = 1; return }
  }
  fail(message)
}

function judge_warnings(   i, j, count) {
  if (impl != "rust" || other != "rust") return
  if (no_warning && warnings) fail("a warning that must not be: " warning[1])
  for (i = 1; i <= warned; i++) {
    count = 0
    for (j = 1; j <= warnings; j++) if (index(warning[j], warned_of[i])) count++
    if (count != 1) fail("the warning '" warned_of[i] "' came " count " times")
  }
}

function end_case(   i) {
  judge("")
  judge_warnings()
  warned = warnings = no_warning = 0
  for (i = 1; i <= announced; i++) {
    if (!taken[i] && must[i] && impl == "rust" && other == "rust") fail("the announced error about '" part[i] "' was not printed")
  }
  announced = 0
  split("", taken)
}

/^ +at: / { judge($0); next }
{ judge("") }
/^CASE / { end_case(); current = $2; next }
/^(EXPECT|ALLOW) ERROR / { announced++; must[announced] = ($1 == "EXPECT"); part[announced] = substr($0, index($0, " ERROR ") + 7); next }
/^EXPECT WARNING / { warned_of[++warned] = substr($0, 16); next }
/^EXPECT NO WARNING$/ { no_warning = 1; next }
/^(USER )?WARNING: .*connecting to .* failed: / { warning[++warnings] = $0; next }
/^(USER )?SCRIPT ERROR: / { judge_script_error($0); next }
/panicked at/ { fail("a panic: " $0); next }
/ObjectDB instances? (were )?leaked|Leaked instance|still in use at exit|RID allocations/ { end_case(); current = ""; fail($0); next }
/^(USER )?ERROR: / { pending = $0; next }
/^[0-9]+ passed, [0-9]+ failed$/ { end_case(); current = ""; failed = $3; next }
/^SUITE DONE$/ { done = 1; next }
END {
  end_case()
  if (exit_code == 124) fail("the run did not end in time" (current == "" ? "" : "; this case was running"))
  else if (!done) fail("the run ended before its end (exit code " exit_code ")" (current == "" ? "" : "; this case was running"))
  else if (exit_code != 0 && failed == 0) fail("the engine ended with exit code " exit_code)
}
