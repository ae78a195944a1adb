extends RefCounted
## Shows rows of text as a table: the first column to the left, the others to the right.


static func show(rows: Array[PackedStringArray]) -> void:
	var widths: PackedInt32Array = []
	for column: int in rows[0].size():
		widths.append(rows.map(func(row: PackedStringArray) -> int: return row[column].length()).max())
	for row: PackedStringArray in rows:
		var line: String = row[0].rpad(widths[0])
		for column: int in range(1, row.size()):
			line += "  " + row[column].lpad(widths[column])
		print(line)
