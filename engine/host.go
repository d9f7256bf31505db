package engine

import (
	"bufio"
	"os"
	"runtime"
	"strconv"
	"strings"

	"decenter/engine/api"
)

// host fills in what this machine has and uses, from proc(5). What cannot be read stays zero.
func host(s *api.Satellite) {
	s.CPUs = runtime.NumCPU()
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		first, _, _ := strings.Cut(string(text), " ")
		s.Load, _ = strconv.ParseFloat(first, 64)
	}
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		key, rest, _ := strings.Cut(lines.Text(), ":")
		n, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		if err != nil {
			continue
		}
		switch key {
		case "MemTotal":
			s.Memory = n << 10
		case "MemAvailable":
			s.MemoryFree = n << 10
		}
	}
}
