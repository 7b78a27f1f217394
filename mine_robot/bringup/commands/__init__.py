"""The commands of ``mine-robot``, a function each; :mod:`mine_robot.bringup.cli` registers them."""
