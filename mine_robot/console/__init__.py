"""The operator's console: what a browser is shown and may ask for. Free of ROS; ``nodes/console_node.py`` binds it."""
