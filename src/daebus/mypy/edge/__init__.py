"""What clients meet of a service, checked by the plugin: doors of actions, options of decorators, rooms."""
