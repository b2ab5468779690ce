package config

import (
	"errors"
	"slices"

	"claviger.dev/claviger/action"
)

// Definition is the action in the words of package action.
func (a *Action) Definition() action.Definition {
	return action.Definition{
		Name: a.Name, Kind: a.Kind, Path: a.Path, Model: a.Model, Instructions: a.Instructions,
		Input: a.Input, Output: a.Output, Template: a.Prompt, MaxOutput: a.MaxOutputTokens,
		Temperature: a.Temperature, Reasoning: a.Reasoning, Tools: slices.Clone(a.Tools),
		Turns: int(a.Turns), Characters: int(a.Characters), ShowUsage: a.ShowUsage, Store: a.Store,
	}
}

// checkActions compiles every action, and looks for two at one path.
func checkActions(c *Config) []Problem {
	f := findings{c: c}
	paths := map[string]string{}
	for i := range c.Actions {
		a := &c.Actions[i]
		path := join("actions", a.Name)
		if other, taken := paths[a.Path]; taken && a.Path != "" {
			f.add(path+".path", "is the path of "+other+" too", "give each action its own")
		}
		paths[a.Path] = path
		f.kindOf(path, a)
		f.compile(path, a)
	}
	return f.ps
}

// kindOf refuses what chats alone have on other actions.
func (f *findings) kindOf(path string, a *Action) {
	if a.Kind != action.KindText {
		return
	}
	const message = "is for kind: chat, and this action is of kind: text"
	if a.Turns != 0 {
		f.add(path+".turns", message, "")
	}
	if a.Characters != 0 {
		f.add(path+".characters", message, "")
	}
}

// compile reports what package action refuses. An action with a problem of its
// form is not compiled: what is missing in it would be reported again.
func (f *findings) compile(path string, a *Action) {
	if f.c.wrongWithin(path) {
		return
	}
	_, err := action.New(a.Definition())
	for _, e := range flatten(err) {
		if d, ok := errors.AsType[*action.DefinitionError](e); ok {
			f.add(path+"."+d.Field, d.Reason, "")
		} else {
			f.add(path, "cannot be compiled", "")
		}
	}
}

// flatten takes joined errors apart.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return many.Unwrap()
	}
	return []error{err}
}
