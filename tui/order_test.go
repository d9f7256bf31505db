package tui

import (
	"testing"
	"time"

	"decenter/engine/api"
)

func TestReadsComeLastWithinASecond(t *testing.T) {
	at := func(ms int, action string) api.AuditEntry {
		return api.AuditEntry{Time: testNow.Add(time.Duration(ms) * time.Millisecond), Action: action}
	}
	in := []api.AuditEntry{at(2100, "login"), at(1900, "read"), at(1500, "stop"), at(1200, "create"), at(900, "read")}
	got := ""
	for _, e := range ReadsLast(in) {
		got += e.Action + " "
	}
	if want := "login stop create read read "; got != want || in[1].Action != "read" {
		t.Errorf("%s, want %s", got, want)
	}
}
