package config

import (
	"strings"
	"testing"
	"time"
)

// TestChecking: the section is read whatever the rest says, and wholly.
func TestChecking(t *testing.T) {
	c, err := LoadChecking("claviger.yaml", []byte("nonsense: {}\ncheck:\n  exclude: [vendor]\n  accept:\n    - {rule: a, path: b/, until: 2027-03-31, reason: c}\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := Accepted{"a", "b", time.Date(2027, 3, 31, 0, 0, 0, 0, time.UTC), "c"}
	if len(c.Accept) != 1 || c.Accept[0] != want || len(c.Exclude) != 1 || c.Exclude[0] != "vendor" {
		t.Errorf("%+v", c)
	}
	if c, err := LoadChecking("claviger.yaml", []byte("listen: 1\n")); err != nil || c.Baseline != "" {
		t.Errorf("%+v, %v", c, err)
	}
	for text, says := range map[string]string{
		"check: {exclude: [../up]}":                                             "a path in the project",
		"check: {exclude: ['/etc']}":                                            "a path in the project",
		"check: {exclude: ['a[']}":                                              "a path in the project",
		"check: {accept: [{rule: a, path: b}]}":                                 "until",
		"check: {excludes: []}":                                                 "excludes",
		"check: {accept: [{rule: a, path: b, until: soon, reason: c}]}":         "a day",
		"check: {accept: [{rule: a, path: b, until: 2027-03-31, reason: ' '}]}": "reason",
	} {
		if _, err := LoadChecking("claviger.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
