#!/usr/bin/python3
"""A browser of WebKitGTK for its driver to start, run by Debian's Python.

Usage: webkit_window.py PROFILE WIDTH HEIGHT; without a profile it is a private window.
"""

import sys

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("WebKit2", "4.1")
from gi.repository import Gtk, WebKit2  # noqa: E402 - their versions come first


def context_of(profile: str) -> WebKit2.WebContext:
    """Return where pages keep things: in the profile, or nowhere."""
    if not profile:
        return WebKit2.WebContext.new_ephemeral()
    kept = WebKit2.WebsiteDataManager(
        base_data_directory=f"{profile}/data", base_cache_directory=f"{profile}/cache"
    )
    cookies = WebKit2.CookiePersistentStorage.SQLITE
    kept.get_cookie_manager().set_persistent_storage(f"{profile}/cookies.sqlite", cookies)
    return WebKit2.WebContext.new_with_website_data_manager(kept)


def main(profile: str, width: str, height: str) -> None:
    context = context_of(profile)
    context.set_automation_allowed(True)
    settings = WebKit2.Settings()
    settings.set_enable_write_console_messages_to_stdout(True)

    def window(*_: object) -> WebKit2.WebView:
        shown = Gtk.Window()
        shown.set_default_size(int(width), int(height))
        view = WebKit2.WebView(
            web_context=context, is_controlled_by_automation=True, settings=settings
        )
        shown.add(view)
        shown.show_all()
        return view

    def started(_: object, session: WebKit2.AutomationSession) -> None:
        info = WebKit2.ApplicationInfo()
        info.set_name("webkit_window")
        session.set_application_info(info)
        session.connect("create-web-view", window)

    context.connect("automation-started", started)
    Gtk.main()


main(*sys.argv[1:])
