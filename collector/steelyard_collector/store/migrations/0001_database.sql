CREATE DATABASE IF NOT EXISTS steelyard_store ${on_cluster} ENGINE = Atomic
