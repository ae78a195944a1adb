extends RefCounted
## What the system says of this process.


## Resident memory.
static func resident_kib() -> int:
	# Such a file says that it is empty.
	var status := FileAccess.open("/proc/self/status",
		FileAccess.READ).get_buffer(4096).get_string_from_ascii()
	for line in status.split("\n"):
		if line.begins_with("VmRSS:"):
			return line.to_int()
	return 0
