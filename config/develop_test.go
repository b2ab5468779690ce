package config_test

import (
	"strings"
	"testing"

	"claviger.dev/claviger/config"
)

// TestLoadDevelopment: what names no environment is development for a command
// that is, and production for all others; another environment is refused.
func TestLoadDevelopment(t *testing.T) {
	const text = "auth: [{dev-user: {}}]\nplans: [{name: all, models: [gpt-4.1-mini]}]\nproxy: {endpoints: [responses]}\n"
	c, err := config.LoadDevelopment("claviger.yaml", []byte(text), nil)
	if err != nil || c.Environment != config.Development || len(c.Auth[0].DevUser.Spend) != 1 {
		t.Fatalf("%v %v", c, err)
	}
	if _, err := config.LoadDevelopment("claviger.yaml", []byte("environment: development\n"+text), nil); err != nil {
		t.Error(err)
	}
	if _, err := config.Load("claviger.yaml", []byte(text), nil); err == nil || !strings.Contains(err.Error(), "production refuses it") {
		t.Errorf("production: %v", err)
	}
	for _, other := range []string{"production", "staging", "preview", "test"} {
		_, err := config.LoadDevelopment("claviger.yaml", []byte("environment: "+other+"\n"+text), nil)
		if err == nil || !strings.HasPrefix(err.Error(), "claviger.yaml:1:") || !strings.Contains(err.Error(), "runs development alone") {
			t.Errorf("%s: %v", other, err)
		}
	}
}
