@tool
extends EditorInspectorPlugin
## The addon's project settings, with their descriptions in Project Settings.

const DESCRIPTIONS := {
	"rust_websocket/replace_engine_classes":
	(
		"Scripts that name WebSocketPeer and WebSocketMultiplayerPeer run on this addon's classes, and"
		+ " no file changes: the names are replaced while the project runs, and in exports. Not reached:"
		+ " C#, names put together at run time, binary resources."
	),
	"rust_websocket/replace_engine_classes_in_addons":
	"The same in the scripts of other addons (addons/).",
}


static func register() -> void:
	for setting: String in DESCRIPTIONS:
		if not ProjectSettings.has_setting(setting):
			ProjectSettings.set_setting(setting, false)
		ProjectSettings.set_initial_value(setting, false)
		ProjectSettings.set_as_basic(setting, true)
		ProjectSettings.add_property_info({"name": setting, "type": TYPE_BOOL})


func _can_handle(object: Object) -> bool:
	return object != null and object.get_class() == "SectionedInspectorFilter"


# The filter cuts the section off the names of its properties.
func _parse_property(
	_object: Object,
	_type: Variant.Type,
	name: String,
	_hint: PropertyHint,
	_hint_text: String,
	_usage: int,
	_wide: bool
) -> bool:
	for setting: String in DESCRIPTIONS:
		if name == setting or name == setting.get_file():
			var label := Label.new()
			label.text = DESCRIPTIONS[setting]
			label.autowrap_mode = TextServer.AUTOWRAP_WORD_SMART
			add_custom_control(label)
	return false
