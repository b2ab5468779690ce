package config

import (
	"os"
	"strings"
	"testing"
)

// read loads a file of testdata.
func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// minimal is the shortest file that loads.
const minimal = "auth: [{ticket: {secrets: [env:TICKETS]}}]\nplans: [{name: all}]\n"

func TestContractSample(t *testing.T) {
	c, err := Load("claviger.yaml", read(t, "contract.yaml"), nil)
	if err != nil {
		t.Fatalf("%v", err)
	}
	var b strings.Builder
	if err := Print(&b, c); err != nil {
		t.Fatal(err)
	}
	t.Log(b.String())
	if _, err := Load("printed.yaml", []byte(b.String()), nil); err != nil {
		t.Fatalf("%v", err)
	}
}
