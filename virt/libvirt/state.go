package libvirt

import (
	lv "libvirt.org/go/libvirt"

	"decenter/virt"
)

// stateOf reads what libvirt says of a domain.
func stateOf(s lv.DomainState, reason int) (virt.State, string) {
	switch s {
	case lv.DOMAIN_RUNNING, lv.DOMAIN_BLOCKED:
		return virt.Running, ""
	case lv.DOMAIN_SHUTDOWN:
		return virt.Running, "powering off"
	case lv.DOMAIN_PMSUSPENDED:
		return virt.Paused, "asleep"
	case lv.DOMAIN_PAUSED:
		return virt.Paused, pausedWhy(lv.DomainPausedReason(reason))
	case lv.DOMAIN_CRASHED:
		return virt.Crashed, "panicked"
	case lv.DOMAIN_SHUTOFF:
		switch lv.DomainShutoffReason(reason) {
		case lv.DOMAIN_SHUTOFF_CRASHED:
			return virt.Crashed, "ended by itself"
		case lv.DOMAIN_SHUTOFF_FAILED:
			return virt.Crashed, "failed to start"
		case lv.DOMAIN_SHUTOFF_DESTROYED:
			return virt.Stopped, "killed"
		case lv.DOMAIN_SHUTOFF_SHUTDOWN:
			return virt.Stopped, "powered off"
		}
	}
	return virt.Stopped, ""
}

func pausedWhy(r lv.DomainPausedReason) string {
	switch r {
	case lv.DOMAIN_PAUSED_IOERROR:
		return "disk error or disk full"
	case lv.DOMAIN_PAUSED_WATCHDOG:
		return "watchdog"
	case lv.DOMAIN_PAUSED_CRASHED:
		return "panicked"
	case lv.DOMAIN_PAUSED_MIGRATION, lv.DOMAIN_PAUSED_POSTCOPY, lv.DOMAIN_PAUSED_POSTCOPY_FAILED:
		return "relocating"
	case lv.DOMAIN_PAUSED_STARTING_UP:
		return "starting"
	}
	return ""
}

// changeOf reads a lifecycle event; ok is false where it tells of no state.
func changeOf(e *lv.DomainEventLifecycle) (s virt.State, reason string, ok bool) {
	switch e.Event {
	case lv.DOMAIN_EVENT_STARTED, lv.DOMAIN_EVENT_RESUMED:
		return virt.Running, "", true
	case lv.DOMAIN_EVENT_SUSPENDED:
		switch lv.DomainEventSuspendedDetailType(e.Detail) {
		case lv.DOMAIN_EVENT_SUSPENDED_IOERROR:
			return virt.Paused, "disk error or disk full", true
		case lv.DOMAIN_EVENT_SUSPENDED_WATCHDOG:
			return virt.Paused, "watchdog", true
		case lv.DOMAIN_EVENT_SUSPENDED_MIGRATED:
			return virt.Paused, "relocating", true
		}
		return virt.Paused, "", true
	case lv.DOMAIN_EVENT_PMSUSPENDED:
		return virt.Paused, "asleep", true
	case lv.DOMAIN_EVENT_CRASHED:
		return virt.Crashed, "panicked", true
	case lv.DOMAIN_EVENT_STOPPED:
		switch lv.DomainEventStoppedDetailType(e.Detail) {
		case lv.DOMAIN_EVENT_STOPPED_CRASHED:
			return virt.Crashed, "panicked", true
		case lv.DOMAIN_EVENT_STOPPED_FAILED:
			return virt.Crashed, "ended by itself", true
		case lv.DOMAIN_EVENT_STOPPED_DESTROYED:
			return virt.Stopped, "killed", true
		case lv.DOMAIN_EVENT_STOPPED_SHUTDOWN:
			return virt.Stopped, "powered off", true
		}
		return virt.Stopped, "", true
	}
	return "", "", false
}
