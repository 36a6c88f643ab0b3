"""What several test rooms share: servers under fault, fleets, fakes of AWS and of the platform."""
