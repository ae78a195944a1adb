# Reads the log of one run of the client's suite and prints one FAIL line for each thing that a passing run does not show.
#
#   awk -v run=rust -v exit_code=0 -f ci/client-log.awk run.log
#
# A case announces an error line with "EXPECT ERROR part" (must come, once). The engine's own class prints errors of
# its own, from its .cpp files, which are no business of the node.

function fail(text) { print "FAIL " run ": " (current == "" ? "" : current ": ") text }

# Judges the error line that was read last; `origin` is the line that says where it came from.
function judge(origin,   i) {
  if (pending == "") return
  message = pending
  pending = ""
  for (i = 1; i <= announced; i++) {
    if (!taken[i] && index(message, part[i])) { taken[i] = 1; return }
  }
  if (run == "builtin" && origin ~ /\.cpp:/ && origin !~ /push_error/) return
  fail("an error that the case did not announce: " message)
}

function end_case(   i) {
  judge("")
  for (i = 1; i <= announced; i++) {
    if (!taken[i] && part[i] != "") fail("the announced error about '" part[i] "' was not printed")
  }
  announced = 0
  split("", taken)
}

/^ +at: / { judge($0); next }
{ judge("") }
/^CASE / { end_case(); current = $2; next }
/^EXPECT ERROR / { announced++; part[announced] = substr($0, 14); next }
/^FAIL / { fail(substr($0, 6)); next }
/^(USER )?SCRIPT ERROR: / { fail($0); next }
/panicked at/ { fail("a panic: " $0); next }
/ObjectDB instances? (were )?leaked|Leaked instance|still in use at exit|RID allocations/ { current = ""; fail($0); next }
/^(USER )?ERROR: / { pending = $0; next }
/^SUITE DONE$/ { end_case(); current = ""; done = 1; next }
END {
  end_case()
  if (exit_code == 124) fail("the run did not end in time")
  else if (!done) fail("the run ended before its end (exit code " exit_code ")")
}
