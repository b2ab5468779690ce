package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// tick is the unit of processor time in /proc: USER_HZ, 100 a second on every
// platform of Linux that Go runs on.
const tick = time.Second / 100

var errFormat = errors.New("unexpected format")

// stat is what is needed of /proc/PID/stat.
type stat struct {
	parent int
	cpu    time.Duration // in user and in kernel mode, of all threads
}

// parseStat reads /proc/PID/stat. The name of the program is in parentheses and
// may have spaces and parentheses of its own; the last one ends it.
func parseStat(b []byte) (stat, error) {
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return stat{}, fmt.Errorf("stat: %w", errFormat)
	}
	f := bytes.Fields(b[i+1:])
	if len(f) < 13 {
		return stat{}, fmt.Errorf("stat: %w", errFormat)
	}
	parent, err1 := strconv.Atoi(string(f[1]))
	user, err2 := strconv.ParseInt(string(f[11]), 10, 64)
	kernel, err3 := strconv.ParseInt(string(f[12]), 10, 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return stat{}, fmt.Errorf("stat: %w", err)
	}
	return stat{parent: parent, cpu: time.Duration(user+kernel) * tick}, nil
}

// parseStatus reads one size of /proc/PID/status, in bytes.
func parseStatus(b []byte, field string) (int64, error) {
	for line := range bytes.Lines(b) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if string(name) != field {
			continue
		}
		f := bytes.Fields(value)
		if len(f) != 2 || string(f[1]) != "kB" {
			return 0, fmt.Errorf("%s: %w", field, errFormat)
		}
		n, err := strconv.ParseInt(string(f[0]), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", field, err)
		}
		return n << 10, nil
	}
	return 0, fmt.Errorf("no %s: %w", field, errFormat)
}

func readStat(pid int) (stat, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, fmt.Errorf("process %d: %w", pid, err)
	}
	return parseStat(b)
}

// tree lists pid and all that descend from it.
func tree(pid int) ([]int, error) {
	names, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, fmt.Errorf("processes: %w", err)
	}
	children := map[int][]int{}
	for _, n := range names {
		p, err := strconv.Atoi(filepath.Base(n))
		if err != nil {
			continue
		}
		if s, err := readStat(p); err == nil { // else it has ended meanwhile
			children[s.parent] = append(children[s.parent], p)
		}
	}
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// CPU is the processor time that a process and its descendants have used, to
// 10 ms for each.
func CPU(pid int) (time.Duration, error) {
	var sum time.Duration
	err := each(pid, func(p int) error {
		s, err := readStat(p)
		sum += s.cpu
		return err
	})
	return sum, err
}

// Memory is resident memory in bytes, summed over a process and its
// descendants; pages that they share are counted for each.
type Memory struct {
	Now  int64
	Peak int64 // since the start or the last ResetPeak
}

// Resident reads the memory of a process and its descendants.
func Resident(pid int) (Memory, error) {
	var m Memory
	err := each(pid, func(p int) error {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p))
		if err != nil {
			return fmt.Errorf("process %d: %w", p, err)
		}
		now, err1 := parseStatus(b, "VmRSS")
		peak, err2 := parseStatus(b, "VmHWM")
		m.Now += now
		m.Peak += peak
		return errors.Join(err1, err2)
	})
	return m, err
}

// ResetPeak lets the peak begin anew at what is resident now.
func ResetPeak(pid int) error {
	return each(pid, func(p int) error {
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p), []byte("5"), 0); err != nil {
			return fmt.Errorf("reset the peak: %w", err)
		}
		return nil
	})
}

func each(pid int, do func(int) error) error {
	pids, err := tree(pid)
	if err != nil {
		return err
	}
	for _, p := range pids {
		if err := do(p); err != nil {
			return err
		}
	}
	return nil
}
