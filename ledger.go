package claviger

// UsageSum is what calls of one kind used together.
type UsageSum struct {
	// By is what they have in common: a pseudonym, plan, model or action, or a
	// day as 2006-01-02 in UTC. It is empty for calls that have none.
	By string
	// Calls counts all of them, also those that were refused.
	Calls int64
	// Refused are those of Calls that were answered with a status from 400 on.
	Refused int64
	// Estimated are those of Calls whose units are an estimate.
	Estimated int64
	// Units are the sums of the metered things, each kind at most once.
	Units Units
	// Cost has one sum for each currency.
	Cost []Money
}

// UsageBy names what usage is summed by.
type UsageBy string

// What usage can be summed by.
const (
	UsageByUser   UsageBy = "user"
	UsageByPlan   UsageBy = "plan"
	UsageByModel  UsageBy = "model"
	UsageByAction UsageBy = "action"
	UsageByDay    UsageBy = "day"
)
