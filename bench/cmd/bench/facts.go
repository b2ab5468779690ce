//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
)

// readFacts says on what the figures were made. What cannot be read is left out.
func readFacts(ctx context.Context) []string {
	facts := []string{fmt.Sprintf("%d cores, %s, %s/%s", runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
				facts = append(facts, strings.TrimSpace(value))
				break
			}
		}
	}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		facts = append(facts, "Linux "+strings.TrimSpace(string(b)))
	}
	if out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output(); err == nil {
		facts = append(facts, "revision "+strings.TrimSpace(string(out)))
	}
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		facts = append(facts, loadFact(string(b), runtime.NumCPU()))
	}
	return facts
}

// loadFact says how busy the machine was before, and that figures are of little
// worth when it was.
func loadFact(loadavg string, cores int) string {
	first, _, _ := strings.Cut(loadavg, " ")
	fact := "load before: " + first
	if v, err := strconv.ParseFloat(first, 64); err == nil && v > 0.25*float64(cores) {
		fact += " (**the machine was not idle: do not compare these figures with others**)"
	}
	return fact
}
