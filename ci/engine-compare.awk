# Compares what the cases saw with the built-in classes and with ours; prints one FAIL line for each surprise.
#
#   awk -v mode=MODE -f ci/engine-compare.awk file=1 differences.txt file=2 builtin.log file=3 other.log
#
# Modes: both   other.log is of our classes; what differs must be exactly what is listed
#        mixed  other.log is of one class against the other; where a difference is listed, either value will do
#        ours   both logs are of our classes; where a difference is listed, our value must be what was seen
#        list   there is no other.log; the list's built-in values must be what was seen
#
# A line of the list: case.key | built-in value | our value | reason

function fail(text) { print "FAIL differences: " text }

file == 1 {
  if ($0 ~ /^ *(#|$)/) next
  if (split($0, column, / +\| +/) != 4) { fail("line " FNR " of the list has not four columns: " $0); next }
  if (column[1] in listed) fail("listed twice: " column[1])
  listed[column[1]] = 1
  listed_builtin[column[1]] = column[2]
  listed_ours[column[1]] = column[3]
  next
}

/^CASE / { if (file == 2) ran_builtin[$2] = 1; else ran_other[$2] = 1; next }

/^SAW / {
  at = index($0, " = ")
  key = substr($0, 5, at - 5)
  value = substr($0, at + 3)
  if (value == "") value = "(empty)"
  gsub(/ \| /, " ¦ ", value)
  if (file == 2) builtin[key] = value; else tested[key] = value
  keys[key] = 1
}

# "file.method.key" -> "file.method"
function case_of(key,   parts) { split(key, parts, "."); return parts[1] "." parts[2] }

END {
  if (mode == "list" || mode == "ours") {
    for (key in listed) {
      if (!(case_of(key) in ran_builtin)) continue
      wanted = mode == "list" ? listed_builtin[key] : listed_ours[key]
      if (!(key in builtin)) fail("no case shows " key)
      else if (builtin[key] != wanted) fail(key ": the list says '" wanted "', the run shows '" builtin[key] "'")
    }
    exit
  }
  for (key in keys) {
    if (!(case_of(key) in ran_builtin) || !(case_of(key) in ran_other)) continue
    left = key in builtin ? builtin[key] : "(nothing)"
    right = key in tested ? tested[key] : "(nothing)"
    if (left == right) {
      if (mode == "both" && key in listed) fail(key " is listed, and both show '" left "'")
    } else if (!(key in listed)) fail("not listed: " key " | " left " | " right)
    else if (mode == "both" && (left != listed_builtin[key] || right != listed_ours[key])) fail("listed with other values: " key " | " left " | " right)
    else if (mode == "mixed" && right != listed_ours[key] && right != listed_builtin[key]) fail("listed with other values: " key " | " left " | " right)
  }
  for (key in listed) {
    if (mode == "both" && !(key in keys) && case_of(key) in ran_builtin && case_of(key) in ran_other) fail("no case shows " key)
  }
}
